"""Every provider on the package index that brings a secrets backend: a task reads a connection and a variable with each.

Those of Amazon, Google, Microsoft and HashiCorp read from servers in `test_secrets_backends.py`. The two others have a fake at their
client here: Akeyless's HTTP API, and the messages of Yandex's Lockbox.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.environments import checkout
from support.http_sink import HttpSink
from support.installed import ROOT
from tradewind.embedded.environments import WHEELS

VERSIONS = {"yandex": "4.6.1", "akeyless": "0.3.2"}
PASSWORD, LIMIT = "SECRET-of-the-warehouse", "SECRET-limit"
URI = f"postgres://etl:{PASSWORD}@db.internal/dwh"
SECRETS = {"airflow/connections/warehouse": URI, "airflow/variables/limit": LIMIT}

READS = """
import json, os
{fake}
from tradewind_protocol.hosts import Configure
from tradewind_runtime import doctor, environment
configure = Configure(
    component="worker", agent_name="a", gateway="", secret="",
    options={{"state_directory": os.environ["AIRFLOW_HOME"], "read_connections": ["warehouse"], "read_variables": ["limit"]}},
)
environment.prepare(configure)
from tradewind_runtime.airflow import inspection, workloads
workloads.prepare()
said = inspection.secrets_backends(["warehouse"], ["limit"])
if not os.fork():  # as a task, which a worker process forks once it is complete
    from airflow.sdk import BaseHook, Connection, Variable
    from airflow.models import Connection as Model
    read = [BaseHook.get_connection("warehouse"), Connection.get("warehouse"), Model.get_connection_from_secrets("warehouse")]
    print("told " + json.dumps([said, [each.password for each in read], Variable.get("limit")]), flush=True)
    os._exit(0)
os.wait()
"""

LOCKBOX = f"""
from types import SimpleNamespace
import yandexcloud
from yandex.cloud.lockbox.v1 import payload_pb2, secret_pb2, secret_service_pb2
SECRETS = {SECRETS!r}
class Lockbox:
    def __init__(self, **_): pass
    def client(self, stub):
        return self
    def List(self, request):
        assert request.folder_id == "the-folder"
        version = secret_pb2.Version(id="1")
        found = [secret_pb2.Secret(id=name, name=name, current_version=version) for name in SECRETS]
        return secret_service_pb2.ListSecretsResponse(secrets=found)
    def Get(self, request):
        entry = payload_pb2.Payload.Entry(key="value", text_value=SECRETS[request.secret_id])
        return payload_pb2.Payload(version_id="1", entries=[entry])
yandexcloud.SDK = Lockbox
"""


OTHERS = ("opentelemetry", "protobuf", "googleapis", "grpc")
"""Packages that Yandex's SDK needs in older versions than our constraints have: it takes no protobuf 7."""


def environment_of(provider: str, home: Path) -> Path:
    """A task environment with that provider; the extras of tradewind-runtime have none of these."""
    wanted = [f"apache-airflow-providers-{provider}=={VERSIONS[provider]}"]
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    lock = home / "constraints.txt"
    lock.write_text("\n".join(each for each in lines if not each.startswith(OTHERS)))
    return checkout().environment(f"tasks-{provider}", WHEELS["tasks"], wanted, lock=lock)


def read(provider: str, home: Path, backend: str, kwargs: Mapping[str, str], fake: str = "") -> list[object]:
    """What the doctor says, the password as a task gets it in three ways, and the variable."""
    variables = {
        "PATH": os.environ["PATH"],
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__SECRETS__BACKEND": f"airflow.providers.{provider}.secrets.{backend}",
        "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(dict(kwargs)),
    }
    command = [environment_of(provider, home), "-c", READS.format(fake=fake)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    told = [each for each in done.stdout.splitlines() if each.startswith("told ")]
    assert len(told) == 1, done.stdout + done.stderr
    found: list[object] = json.loads(told[0].removeprefix("told "))
    return found


@pytest.mark.timeout(300)
def test_a_task_reads_from_yandex_lockbox(tmp_path: Path) -> None:
    kwargs = {"yc_oauth_token": "y3_of-a-test", "folder_id": "the-folder"}
    said, passwords, limit = read("yandex", tmp_path, "lockbox.LockboxSecretBackend", kwargs, LOCKBOX)
    assert (passwords, limit) == ([PASSWORD] * 3, LIMIT)
    assert "connection warehouse (postgres) from LockboxSecretBackend" in str(said)


class Akeyless(HttpSink):
    """Its API, as far as the backend asks it."""

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        return 200 if path in ("/auth", "/get-secret-value") else 404

    def answer(self, path: str, body: bytes) -> bytes:
        asked = json.loads(body)
        if path == "/auth":
            return json.dumps({"token": "t-of-a-test"} if asked["access-key"] == "the-key" else {}).encode()
        found = {name: SECRETS.get(name.removeprefix("/")) for name in asked["names"]}
        return json.dumps(found if asked["token"] == "t-of-a-test" else {}).encode()


@pytest.mark.timeout(300)
def test_a_task_reads_from_akeyless_which_makes_airflows_model_itself(tmp_path: Path) -> None:
    with Akeyless() as server:
        kwargs = {"api_url": server.url, "access_id": "p-1", "access_key": "the-key"}
        said, passwords, limit = read("akeyless", tmp_path, "akeyless.AkeylessBackend", kwargs)
    assert (passwords, limit) == ([PASSWORD] * 3, LIMIT)
    assert "connection warehouse (postgres) from AkeylessBackend" in str(said)
