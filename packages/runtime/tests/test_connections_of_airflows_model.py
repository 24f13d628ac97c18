"""Airflow's own `Connection`, which secrets backends and Dags of Airflow 2's style make, at a site without a Fernet key."""

from __future__ import annotations

import json

from support import prepared_hosts

PROBE = """
import json, sys
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="worker", agent_name="a", gateway="/g", secret=""))
from airflow.configuration import conf
from airflow.models import Connection
made = Connection(conn_id="made", conn_type="http", password="of/the/site", extra={"a": 1})
print(json.dumps([made.password, made.is_encrypted, conf.get("core", "fernet_key")]))
"""


def run(**variables: str) -> tuple[list[object], str]:
    answer = prepared_hosts.run(PROBE, **variables)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1]), answer.stdout + answer.stderr


def test_a_password_is_read_back_and_no_task_warns_of_a_missing_key() -> None:
    (password, encrypted, key), said = run()
    assert (password, encrypted) == ("of/the/site", True)
    assert key
    assert "empty cryptography key" not in said
    assert run()[0][2] != key, "a key of each process's own"


def test_a_key_that_the_sites_configuration_has_stays() -> None:
    own = "c2l4dGVlbi1ieXRlcy1zaXh0ZWVuLWJ5dGVzLTMyLWE="
    assert run(AIRFLOW__CORE__FERNET_KEY=own)[0] == ["of/the/site", True, own]
