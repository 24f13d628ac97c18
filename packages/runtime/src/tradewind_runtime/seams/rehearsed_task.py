"""Airflow's task runner, with a Dag file of its own that does nothing."""

from __future__ import annotations

import contextvars
import importlib.util
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tradewind_runtime.seams import task_logging

_DAG_FILE = """
from airflow.sdk import DAG, TaskGroup, task

with DAG("d", schedule=None):

    @task
    def t():
        return None

    with TaskGroup("g"):
        t.override(task_id="u")()

    t()

    @task
    def mapped(number):
        return None

    mapped.expand(number=[0, 1])
"""
BUNDLE, TASK, MAPPED_TASK = "rehearsal", "t", "mapped"
_LOCAL = "airflow.dag_processing.bundles.local.LocalDagBundle"
_ANSWERS = 8
"""More than such a task asks for."""


def is_possible() -> bool:
    """Whether nothing of the owner's is run in a task beside its Dag file: no policy, no plugin, no metrics, no other
    user. Call it when it is known whether there are plugins."""
    from airflow.configuration import conf
    from airflow.sdk._shared.module_loading import entry_points_with_dist
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.observability.metrics import stats_utils

    return not (
        conf.get("core", "default_impersonation", fallback="")
        or importlib.util.find_spec("airflow_local_settings")
        or any(entry_points_with_dist("airflow.policy"))
        or stats_utils.get_stats_factory() is not NoStatsLogger
        or getattr(task_runner, "SUPERVISOR_COMMS", None) is not None
    )


def perform(started: bytes, times: int) -> None:
    """Be that task so many times, from when it is `started` by its supervisor to its end. Leaves nothing behind in this
    process, and no line in the log. Raises whatever a later Airflow may raise that is put together differently."""
    from airflow.sdk.execution_time import task_runner

    with tempfile.TemporaryDirectory() as folder, _left_as_it_was(task_runner), task_logging.unheard():
        (Path(folder) / "d.py").write_text(_DAG_FILE)
        os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps(
            [{"name": BUNDLE, "classpath": _LOCAL, "kwargs": {"path": folder}}]
        )
        for _ in range(times):
            contextvars.copy_context().run(_perform_once, task_runner, started)


def _perform_once(task_runner: Any, started: bytes) -> None:
    """As `task_runner.main` does."""
    from airflow.sdk.execution_time import comms

    supervisor, ours = socket.socketpair()
    with supervisor, ours:
        supervisor.sendall(started)
        for number in range(_ANSWERS):
            supervisor.sendall(comms._ResponseFrame(id=number).as_bytes())
        log = task_runner.structlog.get_logger(logger_name="task")
        named = task_runner.CommsDecoder[comms.ToTask, comms.ToSupervisor]
        task_runner.SUPERVISOR_COMMS = named(log=log, socket=ours)
        ti, context, log = task_runner.startup(msg=task_runner.get_startup_details())
        state, _, error = task_runner.run(ti, context, log)
        task_runner.finalize(ti, state, context, log, error)
        if error is not None:
            raise error


@contextmanager
def _left_as_it_was(task_runner: Any) -> Iterator[None]:
    """What a task does to its own process does not stay."""
    environ, path, modules = dict(os.environ), list(sys.path), set(sys.modules)
    importers = set(sys.path_importer_cache)
    said = vars(task_runner).get("SUPERVISOR_COMMS", task_runner)
    handlers = {
        number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if said is task_runner:
            vars(task_runner).pop("SUPERVISOR_COMMS", None)
        else:
            task_runner.SUPERVISOR_COMMS = said
        for name in set(os.environ) - set(environ):
            del os.environ[name]
        os.environ.update(environ)
        sys.path[:] = path
        for name in [
            name for name in sys.modules if name not in modules and name.startswith("unusual_prefix_")
        ]:
            del sys.modules[name]
        for place in set(sys.path_importer_cache) - importers:
            del sys.path_importer_cache[place]
