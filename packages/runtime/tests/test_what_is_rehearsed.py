"""What attempts and parses do alike is done before the fork, whole, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

START = """
import contextvars, os, pathlib, signal, sys, tempfile, threading
from tradewind_runtime.seams import process
process.import_airflow_without_database()
import airflow.sdk.execution_time.supervisor, airflow.sdk.execution_time.task_runner
from airflow._shared.logging.structlog import PER_LOGGER_LEVELS
from airflow.sdk._shared.secrets_masker import _secrets_masker
from airflow.sdk.execution_time import supervisor, task_runner
from tradewind_runtime.seams import forking, rehearsed_supervisor, rehearsed_task, rehearsing, task_logging
forking.let_keepers_fork()
UNMAPPED = {"bundle": rehearsed_task.BUNDLE, "task_id": rehearsed_task.TASK}
MAPPED = {"bundle": rehearsed_task.BUNDLE, "task_id": rehearsed_task.MAPPED_TASK, "map_index": 0}

def state():
    import logging, structlog, warnings
    from airflow.sdk.definitions._internal.contextmanager import DagContext
    from tradewind_runtime.worker import kernel
    masker = _secrets_masker()
    return {
        "environ": dict(os.environ),
        "path": list(sys.path),
        "dag files": [name for name in sys.modules if name.startswith("unusual_prefix_")],
        "importers": set(sys.path_importer_cache),
        "handlers": [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)],
        "logging": (list(logging.root.handlers), logging.root.level, structlog.get_config(), sys.excepthook),
        "warnings": warnings.showwarning,
        "bound": structlog.contextvars.get_contextvars(),
        "levels": dict(PER_LOGGER_LEVELS),
        "masked": (id(masker.patterns), masker.replacer),
        "comms": vars(task_runner).get("SUPERVISOR_COMMS"),
        "dags": (list(DagContext.autoregistered_dags), DagContext.get_current()),
        "keeper": forking._keeper,
        "dumpable": kernel._libc.prctl(3, 0, 0, 0, 0),
        "files": set(pathlib.Path(tempfile.gettempdir()).iterdir()),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
    }
"""


def run(script: str, **environ: str) -> str:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        check=False,
        env={**os.environ, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", **environ},
        timeout=60,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def test_a_supervisor_is_rehearsed_from_start_to_end_and_leaves_nothing_behind(tmp_path: Path):
    said = run(
        f"""{START}
from airflow.sdk.execution_time import comms
import msgspec
with rehearsed_supervisor._client():
    pass  # the first one makes a TLS context
_secrets_masker().patterns = {{"a-secret"}}
before = state()
started = rehearsed_supervisor.supervise(2, **UNMAPPED)  # with this Airflow nothing of it fails
assert state() == before, (state(), before)
frame = msgspec.msgpack.decode(started[4:], type=comms._ResponseFrame)
assert frame.body["type"] == "StartupDetails" and frame.body["ti"]["task_id"] == "t"
assert b"mapped" in rehearsed_supervisor.supervise(1, **MAPPED)
""",
        TMPDIR=str(tmp_path),
    )
    assert "Workload finished" not in said


@pytest.mark.parametrize("task", ["UNMAPPED", "MAPPED"])
def test_a_task_is_rehearsed_from_start_to_end_and_leaves_nothing_behind(tmp_path: Path, task: str):
    said = run(
        f"""{START}
started = rehearsed_supervisor.supervise(1, **{task})
assert rehearsed_task.is_possible()
with task_logging.unheard():
    pass
before = state()
rehearsed_task.perform(started, 2)  # with this Airflow nothing of it fails
assert state() == before, (state(), before)
""",
        TMPDIR=str(tmp_path),
    )
    assert "Pre Execute" not in said and "DagBag" not in said


def test_a_rehearsed_task_that_fails_says_so():
    run(f"""{START}
rehearsed_task._DAG_FILE = rehearsed_task._DAG_FILE.replace("return None", "raise LookupError('no')")
try:
    rehearsed_task.perform(rehearsed_supervisor.supervise(1, **UNMAPPED), 1)
except LookupError:
    pass
else:
    raise AssertionError("nobody noticed")
assert "SUPERVISOR_COMMS" not in vars(task_runner)
""")


def test_who_asks_a_worker_host_to_end_while_it_rehearses_is_heard():
    run(f"""{START}
def supervise(*_, **__):
    os.kill(os.getpid(), signal.SIGTERM)
    heard.append("rehearsed")
    return b""
heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append("asked"))
rehearsed_supervisor.supervise = supervise
rehearsing.rehearse(plugins_are_known=False)
assert heard == ["rehearsed", "asked"]
""")


@pytest.mark.parametrize(
    "own",
    [
        "SECRETS__BACKEND=the_owners_own.Backend",
        "WORKERS__SECRETS_BACKEND=the_owners_own.Backend",
        "LOGGING__REMOTE_LOGGING=True",
        "LOGGING__LOGGING_CONFIG_CLASS=the_owners_own.CONFIG",
    ],
)
def test_where_a_supervisor_would_run_code_of_the_owners_none_is_rehearsed(own: str):
    name, value = own.split("=")
    run(f"""{START}
os.environ["AIRFLOW__{name}"] = "{value}"
supervisor.supervise_task = None  # whoever calls it fails
assert rehearsed_supervisor.supervise(1, **UNMAPPED) == b""
""")


@pytest.mark.parametrize("own", ["CORE__DEFAULT_IMPERSONATION=somebody", "METRICS__STATSD_ON=True"])
def test_where_a_task_would_be_another_user_or_be_counted_none_is_rehearsed(own: str):
    name, value = own.split("=")
    run(f"""{START}
os.environ["AIRFLOW__{name}"] = "{value}"
assert not rehearsed_task.is_possible()
""")


def test_where_the_owner_has_policies_for_tasks_none_is_rehearsed(tmp_path: Path):
    (tmp_path / "airflow_local_settings.py").write_text("def task_policy(task): raise SystemExit('run')\n")
    run(f"{START}\nassert not rehearsed_task.is_possible()\n", PYTHONPATH=str(tmp_path))


def test_where_there_may_be_plugins_no_task_is_rehearsed():
    run(f"""{START}
rehearsed_task.perform = None  # whoever calls it fails
rehearsing.suppress = lambda *_: __import__("contextlib").ExitStack()
rehearsing.rehearse(plugins_are_known=False)
""")


def test_a_worker_host_has_rehearsed_tasks_and_still_knows_that_there_are_no_plugins(tmp_path: Path):
    run(
        f"""{START}
from airflow.sdk import listener
from airflow.sdk._shared import module_loading
from tradewind_runtime.seams import worker
module_loading._get_grouped_entry_points().pop("airflow.plugins", None)  # of this checkout's own environment
performed, perform = [], rehearsed_task.perform
def noting(started, times):
    perform(started, times)
    performed.append(b"mapped" in started)
rehearsed_task.perform = noting
worker.warm()
assert performed == [False, True]
assert task_runner.get_listener_manager is not listener.get_listener_manager
""",
        AIRFLOW__CORE__PLUGINS_FOLDER=str(tmp_path / "plugins"),
    )


def test_a_rehearsed_dag_is_forgotten():
    run(f"""{START}
before = state()
rehearsing._write_a_dag()  # with this Airflow nothing of it fails
assert state()["dags"] == before["dags"] and state()["threads"] == 1
""")


def test_a_rehearsed_parse_is_whole_loads_no_plugin_and_leaves_no_thread():
    run("""
import threading
from tradewind_runtime.seams import process, rehearsing
process.import_airflow_without_database()
rehearsing._serialize_a_dag()  # with this Airflow nothing of it fails
from airflow import plugins_manager
from airflow.sdk import plugins_manager as sdk_plugins_manager
assert threading.active_count() == 1
for manager in (plugins_manager, sdk_plugins_manager):
    assert manager._get_plugins.cache_info().currsize == 0
""")
