"""A secrets backend of the owner's own: what it raises is said where it is asked, and one that asks itself is told so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support import directories, prepared_hosts

BACKEND = """
import os
from airflow.sdk import BaseHook
from airflow.sdk.bases.secrets_backend import BaseSecretsBackend

class Forbidden(Exception):
    pass

class Backend(BaseSecretsBackend):
    def __init__(self, vault_conn_id=None):
        self.vault_conn_id = vault_conn_id
    def get_conn_value(self, conn_id, team_name=None):
        if conn_id == "signs_in":
            return "http://user:" + BaseHook.get_connection("of_the_vault").password + "@h"
        if conn_id == "denied":
            try:
                raise Forbidden("of the vendor, for the token " + os.environ["TOKEN"])
            except Forbidden as problem:
                raise RuntimeError("could not") from problem
        return {"here": "http://h", "broken": "http://user:SECRET@h:port"}.get(conn_id)
    def get_variable(self, key, team_name=None):
        if key == "slow":
            raise TimeoutError("in time")
        return None

class OfModels(BaseSecretsBackend):
    def get_connection(self, conn_id, team_name=None):
        from airflow.models import Connection
        return Connection(conn_id=conn_id, conn_type="http", host="of.models", password="SECRET")
"""

PROBE = """
import json, sys
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="worker", agent_name="a", gateway="/g", secret=""))
import os
import structlog
from airflow.sdk import Connection, Variable
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms, task_runner
from airflow.sdk.log import mask_secret
mask_secret(os.environ["TOKEN"])
class Comms:
    def send(self, msg):
        kinds = {"GetConnection": ErrorType.CONNECTION_NOT_FOUND, "GetVariable": ErrorType.VARIABLE_NOT_FOUND}
        return comms.ErrorResponse(error=kinds[type(msg).__name__]) if type(msg).__name__ in kinds else None
task_runner.SUPERVISOR_COMMS = Comms()
said = []
def noting(logger, method, event):
    said.append(event["event"])
    raise structlog.DropEvent
structlog.configure(processors=[noting])
def got(call, name):
    try:
        found = call(name)
        return getattr(found, "host", found)
    except Exception as error:
        return type(error).__name__
calls = {"connection": Connection.get, "variable": Variable.get}
made = [got(calls[kind], name) for kind, name in json.loads(sys.argv[1])]
from tradewind_runtime.__main__ import _asks_itself
problem = _asks_itself()
print(json.dumps([made, said, problem and [problem.message, problem.remedy]]))
"""


@pytest.fixture
def asked() -> Iterator[Any]:
    with directories.same() as place:
        (place / "owners_backend.py").write_text(BACKEND)

        def probe(*what: tuple[str, str], backend: str = "Backend", **environ: str) -> Any:
            variables = {
                "PYTHONPATH": str(place),
                "AIRFLOW__SECRETS__BACKEND": f"owners_backend.{backend}",
                "TOKEN": "SECRET-token-of-the-owner",
                **environ,
            }
            answer = prepared_hosts.run(PROBE, json.dumps(what), **variables)
            assert answer.returncode == 0, answer.stderr
            return json.loads(answer.stdout.splitlines()[-1])

        yield probe


def test_what_a_backend_raises_is_said_once_with_cause_and_remedy_and_without_a_secret(asked: Any) -> None:
    made, said, _ = asked(("connection", "denied"), ("connection", "denied"), ("connection", "here"))
    assert made == ["AirflowNotFoundException", "AirflowNotFoundException", "h"]
    told = [text for text in said if "could not read" in text]
    assert told == [
        (
            "Backend (Backend) could not read the connection 'denied': Forbidden: of the vendor, for the token ***. To do: Give "
            "the identity of this site's tasks the right to read this secret: see the backend's page"
        )
    ]
    assert not [text for text in said if "is in none of this site's secrets backends" in text]


def test_a_variable_that_was_not_answered_in_time_is_said_too(asked: Any) -> None:
    _, said, _ = asked(("variable", "slow"))
    [told] = [text for text in said if "could not read" in text]
    assert (
        "could not read the variable 'slow': TimeoutError: in time. To do: the secrets backend did not answer"
        in told
    )


def test_a_secret_that_is_no_connection_is_not_quoted(asked: Any) -> None:
    made, said, _ = asked(("connection", "broken"))
    assert made == ["AirflowNotFoundException"]
    assert any("neither a connection's URI nor its JSON (ValueError)" in text for text in said)
    assert "SECRET" not in str(said)


def test_a_backend_that_signs_in_with_a_connection_finds_it_in_the_environment(asked: Any) -> None:
    own = {"AIRFLOW_CONN_OF_THE_VAULT": "http://user:pw@vault"}
    made, said, _ = asked(("connection", "signs_in"), **own)
    assert made == ["h"]
    made, said, _ = asked(("connection", "signs_in"))
    assert made == ["AirflowNotFoundException"], "and does not ask itself for ever"
    assert [text for text in said if "must not live in that backend" in text] == [
        (
            "A connection used by the secrets backend itself must not live in that backend: Backend asks for the connection "
            "'of_the_vault'. Set AIRFLOW_CONN_OF_THE_VAULT in the environment of this site's tasks"
        )
    ]


@pytest.mark.parametrize(
    "set_by",
    [
        {"AIRFLOW__SECRETS__BACKEND_KWARGS": '{"vault_conn_id": "of_the_vault"}'},
        {"AIRFLOW__SECRETS__BACKEND_KWARG__VAULT_CONN_ID": "of_the_vault"},
    ],
)
def test_a_backend_whose_own_connection_could_only_come_from_itself_is_refused_at_the_start(
    asked: Any, set_by: dict[str, str]
) -> None:
    _, _, problem = asked(**set_by)
    assert problem[0].startswith(
        "a connection used by the secrets backend itself must not live in that backend: Backend signs in with the connection "
        "'of_the_vault' (vault_conn_id), and AIRFLOW_CONN_OF_THE_VAULT is not set"
    )
    _, _, problem = asked(**set_by, AIRFLOW_CONN_OF_THE_VAULT="http://vault")
    assert problem is None


def test_a_backend_may_make_airflows_model_of_a_connection(asked: Any) -> None:
    made, said, _ = asked(("connection", "any"), backend="OfModels")
    assert made == ["of.models"]
    assert not [text for text in said if "could not" in text]
