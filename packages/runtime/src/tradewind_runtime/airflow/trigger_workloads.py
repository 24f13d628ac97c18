"""A trigger that the plane has run here, as Airflow's classes have it: its workload, and the file of its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import structlog
from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.executors.workloads.trigger import RunTrigger
from airflow.jobs import triggerer_job_runner as stock
from airflow.models.crypto import get_fernet

from tradewind_protocol import triggers as wire
from tradewind_runtime.airflow import callables
from tradewind_runtime.triggers.logs import FileLogger, OpenFiles


def workload(create: wire.CreateTrigger) -> RunTrigger:
    """What the plane sent, in Airflow's class, its arguments under this process's own key. Raises NotForThePlane for a trigger
    that the gateway found not to be the site's own, ValueError for what is no trigger."""
    _must_be_declared(create)
    return RunTrigger(
        id=create.id,
        classpath=create.classpath,
        encrypted_kwargs=get_fernet().encrypt(create.arguments.encode()).decode(),
        ti=None if create.ti is None else TaskInstanceDTO.model_validate(create.ti),
        timeout_after=create.timeout_after,
        dag_data=create.dag_data,
        dag_run_data=create.dag_run_data,
        watched_assets=create.watched_assets,
    )


def _must_be_declared(create: wire.CreateTrigger) -> None:
    """Raises NotForThePlane for a trigger that the gateway found not to be the site's own."""
    try:
        arguments = json.loads(create.arguments)
    except ValueError:
        return  # told where it is built
    callables.judge_declaration(arguments)


def log_path(create: wire.CreateTrigger, triggerer: object) -> str:
    """Where the trigger's log is written: as Airflow's, next to the task's log. Never outside the log directory, whatever the
    plane says."""
    path = Path(create.log_path)
    if not create.log_path or path.is_absolute() or ".." in path.parts:
        path = Path("triggers") / str(create.id)
    return f"{path}.trigger.{triggerer}.log"


class LogFile(stock.TriggerLoggingFactory):
    """As Airflow's, but the file is open only while it is written to, and a second trigger of one task adds to it."""

    def __init__(self, *, log_path: str, ti: TaskInstanceDTO, files: OpenFiles) -> None:
        self.log_path = log_path
        self.ti = ti
        self._files = files
        self._path: Path | None = None

    def __call__(self, processors: Any) -> Any:
        if not hasattr(self, "bound_logger"):
            from airflow.sdk.log import init_log_file

            self._path = init_log_file(self.log_path)
            underlying = FileLogger(self._path, self._files)
            self.bound_logger = structlog.wrap_logger(underlying, processors=processors).bind()
        return self.bound_logger

    def close(self) -> None:
        if self._path is not None:
            self._files.close(self._path)
