"""Airflow's own supervisors, one call per kind of workload, all with a client of ours.

`execute_workload`, what Airflow's executors call, is not used: it puts the token on the command line and drops the
exit code. The supervisors' own entry points take a client, but for the connection test's, which builds one.
"""

from __future__ import annotations

import functools
import re
import socket
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tradewind_protocol.attempts import WorkKind
from tradewind_runtime.airflow import callables, process, refusals, templates, termination

if TYPE_CHECKING:
    from airflow.sdk.api.client import Client

HOSTNAME_CALLABLE = "tradewind_runtime.airflow.workloads.hostname"
# Of the process, which is one attempt's: Airflow asks for it by the name of a function, without arguments.
_hostname = ""


class WorkloadRefused(ValueError):
    """The plane asked for something no workload of Airflow asks for."""


def prepare() -> None:
    """Change in Airflow what would be wrong at a site, for every attempt that is forked from here on. Starts no thread."""
    import airflow.sdk.execution_time.supervisor  # noqa: F401

    process.let_crashes_crash()
    callables.judge_next_methods()
    templates.restrict()
    refusals.make_final()
    process.leave_executors_to_the_plane()
    termination.end_at_once_without_on_kill()


def hostname() -> str:
    """What `[core] hostname_callable` answers. The plane tells one run of a task from another by host name, user
    and pid, and containers repeat all three: in an attempt this is a name no other attempt has."""
    return _hostname or socket.gethostname()


def set_hostname(name: str) -> None:
    """Name this process and those it forks."""
    global _hostname  # of the process, since Airflow calls `hostname` by its import path and without arguments
    _hostname = name


def run(kind: WorkKind, workload: dict[str, Any], client: Client) -> int:
    """Run one workload to its end under Airflow's supervisor. Returns the exit code of the work's own process,
    negative for a signal; the state of a task went to the plane through `client`.

    Raises what Airflow raises when the plane refuses the start, WorkloadRefused for a workload that is not one.
    """
    return _RUNNERS[kind](workload, client)


def label(kind: WorkKind, workload: dict[str, Any]) -> str:
    """A short name for the process list."""
    ti = workload.get("ti") or {}
    if kind is WorkKind.TASK:
        return f"{ti.get('dag_id')}.{ti.get('task_id')} {ti.get('run_id')} try {ti.get('try_number')}"
    if kind is WorkKind.CALLBACK:
        return f"callback {(workload.get('callback') or {}).get('id')}"
    if kind is WorkKind.CANARY:
        return f"canary of queue {workload.get('queue')}"
    return f"connection test {workload.get('connection_id')}"


def _run_task(workload: dict[str, Any], client: Client) -> int:
    from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance
    from airflow.sdk.execution_time import supervisor

    for name in ("dag_id", "task_id", "run_id"):  # become folders of logs and of XComs
        inside(workload["ti"][name], name)
    # Airflow 3.2 calls it by its short name.
    supervise_task = getattr(supervisor, "supervise_task", None) or supervisor.supervise
    code = supervise_task(
        ti=TaskInstance.model_validate(workload["ti"]),
        bundle_info=BundleInfo.model_validate(_bundle(workload)),
        dag_rel_path=inside(workload["dag_rel_path"], "Dag file"),
        log_path=_log_path(workload),
        # A dotted name to import and call: what a site runs is not the plane's to say.
        sentry_integration="",
        client=client,
        token="",
    )
    return int(code)


def _run_callback(workload: dict[str, Any], client: Client) -> int:
    _needs("callback_supervisor", "runs no callbacks of executors")
    from airflow.sdk.api.datamodels._generated import BundleInfo
    from airflow.sdk.execution_time import callback_supervisor

    _judge_callbacks(callback_supervisor)
    callback = workload["callback"]
    try:
        code = callback_supervisor.supervise_callback(
            id=callback["id"],
            callback_path=callback["data"].get("path", ""),
            callback_kwargs=callback["data"].get("kwargs", {}),
            dag_rel_path=inside(workload["dag_rel_path"], "Dag file"),
            log_path=_log_path(workload),
            bundle_info=BundleInfo.model_validate(_bundle(workload)),
            client=client,
        )
    except RuntimeError as ended:
        # It tells any exit code but 0 in the words of an exception.
        if found := re.fullmatch(r"Callback subprocess exited with code (-?\d+)", str(ended)):
            return int(found[1])
        raise
    return int(code)


def _judge_callbacks(callback_supervisor: Any) -> None:
    """Have every callback judged in the process it would run in, where its bundle is there and can be imported."""
    execute = callback_supervisor.execute_callback

    @functools.wraps(execute)
    def judged(
        callback_path: str, callback_kwargs: Any, dag_rel_path: Any, bundle_path: Any, log: Any
    ) -> tuple[bool, str | None]:
        try:
            dag_file = Path(bundle_path) / dag_rel_path if bundle_path and dag_rel_path else None
            callables.judge_declaration(callback_kwargs)
            callables.judge_callback(callback_path, dag_file=dag_file)
        except callables.NotForThePlane as refused:
            return False, str(refused)
        done: tuple[bool, str | None] = execute(
            callback_path=callback_path,
            callback_kwargs=callback_kwargs,
            dag_rel_path=dag_rel_path,
            bundle_path=bundle_path,
            log=log,
        )
        return done

    callback_supervisor.execute_callback = judged


def _run_connection_test(workload: dict[str, Any], client: Client) -> int:
    _needs("connection_test_supervisor", "tests no connections")
    from airflow.sdk.execution_time import connection_test_supervisor

    if not callables.connection_tests_are_allowed():
        return _refuse_connection_test(workload, client)
    # Of the three supervisors this one alone takes no client: it makes `Client(base_url=server, token=token)`, over
    # TCP. This process was forked for this one test, so the name it calls is ours to answer.
    connection_test_supervisor.Client = lambda **_: client
    code = connection_test_supervisor.supervise_connection_test(
        connection_test_id=workload["connection_test_id"],
        connection_id=workload["connection_id"],
        timeout=int(workload["timeout"]),
        server="",
        token="",
    )
    return int(code)


def _needs(module: str, lacks: str) -> None:
    """Raises WorkloadRefused when this environment's Airflow is older than a kind of workload."""
    if find_spec(f"airflow.sdk.execution_time.{module}") is None:
        raise WorkloadRefused(
            f"Airflow {version('apache-airflow-core')} of this task environment {lacks}; Airflow 3.3 does"
        )


def _refuse_connection_test(workload: dict[str, Any], client: Client) -> int:
    from airflow.sdk.api.datamodels._generated import ConnectionTestState

    client.connection_tests.update_state(
        UUID(workload["connection_test_id"]),
        ConnectionTestState.FAILED,
        "this site tests no connections; its owner can set [core] test_connection = Enabled "
        "(AIRFLOW__CORE__TEST_CONNECTION) in the task environment",
    )
    return 0


_RUNNERS: dict[WorkKind, Callable[[dict[str, Any], Any], int]] = {
    WorkKind.TASK: _run_task,
    WorkKind.CALLBACK: _run_callback,
    WorkKind.CONNECTION_TEST: _run_connection_test,
}


def inside(path: str, what: str) -> str:
    """`path` if it stays under the folder it is relative to. What comes from the plane names nothing else here."""
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts:
        raise WorkloadRefused(f"the workload's {what} {path!r} is not a path inside its folder")
    return path


def _bundle(workload: dict[str, Any]) -> dict[str, Any]:
    """Which bundle, at which version: a bundle keeps each version in a folder of that name, and asks git for it."""
    bundle: dict[str, Any] = workload["bundle_info"]
    if (version := bundle.get("version")) is not None and inside(version, "version").startswith("-"):
        raise WorkloadRefused(f"the workload's version {version!r} is none")
    return bundle


def _log_path(workload: dict[str, Any]) -> str | None:
    path = workload.get("log_path")
    return None if not path else inside(path, "log")
