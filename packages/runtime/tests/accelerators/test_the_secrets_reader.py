"""One process reads the secrets backend for all tasks; what it does not answer a task reads for itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support import directories, prepared_hosts

BACKEND = """
import os, threading
from airflow.sdk.bases.secrets_backend import BaseSecretsBackend

class Backend(BaseSecretsBackend):
    made = asked = 0
    def __init__(self):
        type(self).made += 1
        self.number = self.made
    def get_conn_value(self, conn_id, team_name=None):
        if conn_id == "fails":
            raise PermissionError("here")
        found = {"host": "by", "conn_type": "http", "port": os.getpid(), "login": f"client-{self.number}"}
        return None if conn_id == "nowhere" else __import__("json").dumps(found)
    def get_variable(self, key, team_name=None):
        if key == "hangs":
            if threading.current_thread() is not threading.main_thread():  # in the reader
                threading.Event().wait()
            raise PermissionError(f"in {os.getpid()}")
        type(self).asked += 1
        if key == "asked":
            return str(self.asked)
        return None if key == "nowhere" else f"{os.getpid()} " + "x" * int(key)
"""

PROBE = """
import json, os, signal, sys
from tradewind_protocol.hosts import Configure
from tradewind_runtime import environment
environment.prepare(Configure(component="worker", agent_name="a", gateway="/g", secret=""))
from tradewind_runtime.accelerators.secrets_reader import SecretsReader
from airflow.sdk import Connection, Variable
from airflow.sdk.execution_time import task_runner
class Comms:
    def send(self, msg):
        raise RuntimeError("no plane is asked")
task_runner.SUPERVISOR_COMMS = Comms()
reader = SecretsReader(backends={sys.argv[1]}, cached=float(sys.argv[2]), patience=float(sys.argv[3]))
if (reason := reader.applies()) is not None:
    print(json.dumps({"off": reason}))
    sys.exit()
reader.install()
[pid] = reader.pids
def in_a_task(look):
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        try:
            found = look()
        except Exception as error:
            found = type(error).__name__
        os.write(theirs, json.dumps([found, os.getpid()]).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as told:
        found = json.loads(told.read())
    os.waitpid(child, 0)
    return found
def connection(name):
    found = Connection.get(name)
    return [found.port, found.login]
if sys.argv[3] != "60":
    from airflow.sdk.configuration import ensure_secrets_loaded
    from airflow.sdk.execution_time.secrets import DEFAULT_SECRETS_SEARCH_PATH_WORKERS
    [backend, *_] = ensure_secrets_loaded(default_backends=DEFAULT_SECRETS_SEARCH_PATH_WORKERS)
    def hangs():
        try:
            return backend.get_variable("hangs")
        except PermissionError as error:
            return [str(error), repr(error.__context__)]
    print(json.dumps(in_a_task(hangs)))
    sys.exit()
said = {"reader": pid}
said["first"] = in_a_task(lambda: connection("any"))
said["second"] = in_a_task(lambda: connection("other"))
said["variable"] = in_a_task(lambda: [int(Variable.get("7").split()[0]), len(Variable.get("1000000"))])
said["asked"] = [in_a_task(lambda: Variable.get("asked"))[0] for _ in range(2)]
said["missing"] = in_a_task(lambda: Variable.get("nowhere", default="by default"))
said["fails"] = in_a_task(lambda: connection("fails"))
said["renewed"] = in_a_task(lambda: connection("any"))
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
said["without"] = in_a_task(lambda: connection("any"))
reader.close()
print(json.dumps(said))
"""


@pytest.fixture
def probed() -> Iterator[Any]:
    with directories.same() as place:
        (place / "owners_backend.py").write_text(BACKEND)

        def probe(
            backend: str = "owners_backend.Backend",
            known: str = "owners_backend.Backend",
            cached: str = "0",
            patience: str = "60",
        ) -> Any:
            asked = [known, cached, patience]
            answer = prepared_hosts.run(
                PROBE, *asked, PYTHONPATH=str(place), AIRFLOW__SECRETS__BACKEND=backend
            )
            assert answer.returncode == 0, answer.stderr
            return json.loads(answer.stdout.splitlines()[-1])

        yield probe


def test_tasks_get_what_the_reader_reads_with_one_client(probed: Any) -> None:
    said = probed()
    reader = said["reader"]
    assert said["first"][0][0] == said["second"][0][0] == reader
    assert said["first"][0][1] == said["second"][0][1], "the same client"
    [by, length], task = said["variable"]
    assert by == reader != task
    assert length > 1_000_000
    assert said["missing"][0] == "by default"


@pytest.mark.parametrize(("cached", "asks"), [("0", 2), ("3600", 1), ("0.000001", 2)])
def test_an_answer_is_kept_for_as_long_as_the_owner_says(probed: Any, cached: str, asks: int) -> None:
    said = probed(cached=cached)
    assert len(set(said["asked"])) == asks
    assert said["missing"][0] == "by default"


def test_what_the_reader_cannot_answer_a_task_reads_for_itself(probed: Any) -> None:
    said = probed()
    assert said["fails"][0] == "AirflowNotFoundException"
    assert said["renewed"][0][0] == said["reader"]
    assert said["renewed"][0][1] != said["first"][0][1], "after a failure the reader signs in anew"
    [by, _], task = said["without"]
    assert by == task, "the reader is gone"


def test_a_task_reads_for_itself_while_the_reader_still_tries(probed: Any) -> None:
    [raised, context], task = probed(patience="0.1")
    assert (raised, context) == (f"in {task}", "None"), "the task's own error, and nothing of the reader"


def test_it_is_off_where_a_backend_may_answer_each_task_differently(probed: Any) -> None:
    assert probed(known="another.Backend") == {"off": "Backend is not the backend of a cloud or of Vault"}
    assert probed(backend="") == {"off": "no secrets backend is configured"}
