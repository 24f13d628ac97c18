"""Airflow's supervisor, of a task that does nothing and is not there."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from tradewind_runtime.seams import forking, process
from tradewind_runtime.worker import kernel

MOMENT = datetime(2025, 1, 1, tzinfo=timezone.utc)
_NO_PROCESS = 1 << 30
"""More than any process id is: a signal to it reaches nobody."""


def _is_possible() -> bool:
    """Whether nothing of the owner's is run in a supervisor, and a keeper can stand in for its task's process."""
    from airflow.configuration import conf

    if not forking.is_possible() or "OTEL_PYTHON_TRACER_PROVIDER" in os.environ:
        return False
    if conf.getboolean("logging", "remote_logging", fallback=False):
        return False
    return not any(
        conf.get(section, key, fallback="")
        for section, key in (
            ("secrets", "backend"),
            ("workers", "secrets_backend"),
            ("logging", "logging_config_class"),
        )
    )


def supervise(times: int, *, bundle: str, task_id: str, map_index: int = -1) -> bytes:
    """Supervise a task so many times, from its start to its end. Leaves nothing behind: no file, no line in the log.
    Returns what its task was started with, nothing when there was only a client made because more is not
    possible. Raises whatever a later Airflow may raise that is put together differently."""
    with _client() as client:
        if not _is_possible():
            return b""
        return _supervise(client, times, bundle, task_id, map_index)


def _supervise(client: Any, times: int, bundle: str, task_id: str, map_index: int) -> bytes:
    from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance
    from airflow.sdk.execution_time import supervisor

    ids = {"id": UUID(int=1), "dag_version_id": UUID(int=2), "dag_id": "d", "run_id": "r"}
    rest = {"try_number": 1, "queue": "default", "pool_slots": 1, "priority_weight": 1, "context_carrier": {}}
    ti = TaskInstance.model_validate({**ids, "task_id": task_id, "map_index": map_index, **rest})
    with tempfile.TemporaryDirectory() as folder, _left_as_it_was() as task:
        for number in range(times):
            supervisor.supervise_task(
                ti=ti,
                bundle_info=BundleInfo(name=bundle),
                dag_rel_path="d.py",
                log_path=str(Path(folder) / "d" / f"{number}.log"),
                client=client,
                token="",
            )
        return task.heard()


@contextmanager
def _client() -> Iterator[Any]:
    """To a plane that agrees to everything. The first client builds a TLS context as well, which it does not need and
    later ones share."""
    moment = MOMENT.isoformat()
    run: dict[str, Any] = dict.fromkeys(
        ("logical_date", "start_date", "run_after", "data_interval_start", "data_interval_end"), moment
    )
    run |= {"dag_id": "d", "run_id": "r", "run_type": "manual", "state": "running"}
    run |= {"consumed_asset_events": [], "end_date": None, "partition_key": None}
    context = {"dag_run": run, "max_tries": 0, "should_retry": False, "xcom_keys_to_clear": []}
    client = process.execution_client(
        "http://gateway/", "", httpx.MockTransport(lambda _: httpx.Response(200, json=context))
    )
    client.task_instances.heartbeat(UUID(int=1), 1)  # a task that ends at once never does
    try:
        yield client
    finally:
        client.close()


@contextmanager
def _left_as_it_was() -> Iterator[_NoTask]:
    """What a supervisor does to its own process does not stay."""
    from airflow._shared.logging.structlog import PER_LOGGER_LEVELS
    from airflow.sdk._shared.secrets_masker import _secrets_masker

    masker, said = _secrets_masker(), PER_LOGGER_LEVELS.get("supervisor")
    masked = masker.patterns, masker.replacer
    PER_LOGGER_LEVELS["supervisor"] = logging.CRITICAL
    task = _NoTask()
    forking.use(task)
    try:
        with kernel.as_dumpable_as_before():
            yield task
    finally:
        forking.use(None)
        task.close()
        masker.patterns, masker.replacer = masked
        if said is None:
            del PER_LOGGER_LEVELS["supervisor"]
        else:
            PER_LOGGER_LEVELS["supervisor"] = said


class _NoTask:
    """A keeper that forks nothing: all that its task ever says has been said."""

    def __init__(self) -> None:
        self._task = socket.socket(socket.AF_UNIX)

    def fileno(self) -> int:
        return self._task.fileno()

    def close(self) -> None:
        self._task.close()

    def fork(self, ends: Sequence[socket.socket]) -> int:
        from airflow.sdk.execution_time import comms

        requests, _, _, logs = ends
        said = (
            comms.SetRenderedFields(rendered_fields={}),
            comms.SucceedTask(end_date=MOMENT, task_outlets=[], outlet_events=[], rendered_map_index=None),
        )
        for number, message in enumerate(said):
            requests.sendall(comms._RequestFrame(id=number, body=message.model_dump()).as_bytes())
        logs.sendall(
            b'{"timestamp":"2025-01-01T00:00:00.000000Z","level":"info","event":"","logger":"task"}\n'
        )
        self._task.close()
        self._task = requests.dup()  # reads nothing, but is there when it is answered
        self._task.shutdown(socket.SHUT_WR)
        return _NO_PROCESS

    def heard(self) -> bytes:
        """The message that its supervisor sent last, with its length, at its start."""
        length = self._task.recv(4)
        return length + self._task.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)

    def exit_code(self, timeout: float | None) -> int | None:
        return 0
