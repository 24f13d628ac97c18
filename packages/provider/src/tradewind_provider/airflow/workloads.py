"""Airflow's workloads, and the rows of task instances they are about."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from airflow.executors.workloads import ExecuteTask
from airflow.executors.workloads.callback import ExecuteCallback
from airflow.executors.workloads.connection_test import TestConnection
from airflow.models.callback import CallbackKey
from airflow.models.connection_test import ConnectionTestKey
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.utils.state import TaskInstanceState
from sqlalchemy import ScalarSelect, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from tradewind_protocol.attempts import WorkKind
from tradewind_provider.airflow import traces
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import Attempt

_CHUNK = 500  # ids in one statement: SQLite counts them


@dataclass(frozen=True)
class Workload:
    """A workload in our words."""

    kind: WorkKind
    subject_id: UUID
    queue: str
    priority: int
    label: str
    workload: Mapping[str, Any]  # JSON, without its token
    bundle: str | None = None  # the Dag bundle it needs
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int = -1
    try_number: int = 0
    traceparent: str = ""  # of Airflow's span of the try; empty when it is not traced


@dataclass(frozen=True)
class TaskInstanceStatus:
    """A task instance's row, as far as reporting looks at it."""

    state: str | None
    queued_by_job_id: int | None


CALLBACK_PRIORITY = 1_000_000
"""Callbacks end what tasks began, so Airflow's executors take them before any task."""


def read(workload: Any, *, default_queue: str) -> Workload:
    """An Airflow workload in our words. Raises ValueError for a kind this version does not know."""
    body = json.loads(workload.model_dump_json())
    # minted by the execution API proxy, for one request: a token that travelled could be used past it and could expire in a queue
    body["token"] = ""
    if isinstance(workload, ExecuteTask):
        ti = workload.ti
        mapped = f", map {ti.map_index}" if ti.map_index >= 0 else ""
        return Workload(
            kind=WorkKind.TASK,
            subject_id=ti.id,
            queue=ti.queue or default_queue,
            priority=ti.priority_weight,
            label=f"{ti.dag_id}.{ti.task_id} [{ti.run_id}{mapped}, try {ti.try_number}]",
            workload=body,
            bundle=workload.bundle_info.name,
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=ti.map_index,
            try_number=ti.try_number,
            traceparent=traces.sampled(ti.context_carrier),
        )
    if isinstance(workload, ExecuteCallback):
        return Workload(
            kind=WorkKind.CALLBACK,
            subject_id=UUID(str(workload.callback.id)),
            queue=default_queue,
            priority=CALLBACK_PRIORITY,
            label=f"callback {workload.display_name}",
            workload=body,
            bundle=workload.bundle_info.name,
        )
    if isinstance(workload, TestConnection):
        return Workload(
            kind=WorkKind.CONNECTION_TEST,
            subject_id=workload.connection_test_id,
            queue=workload.queue or default_queue,
            priority=CALLBACK_PRIORITY,
            label=workload.display_name,
            workload=body,
        )
    raise ValueError(f"RemoteExecutor does not know workloads of type {type(workload).__name__}")


def key_of(attempt: Attempt) -> Any:
    """The key by which the scheduler knows an attempt's work."""
    if attempt.kind == WorkKind.TASK.value:
        return TaskInstanceKey(
            dag_id=attempt.dag_id,
            task_id=attempt.task_id,
            run_id=attempt.run_id,
            try_number=attempt.try_number,
            map_index=attempt.map_index,
        )
    if attempt.kind == WorkKind.CALLBACK.value:
        return CallbackKey(id=str(attempt.subject_id))
    return ConnectionTestKey(id=str(attempt.subject_id))


def states(db: Session, task_instance_ids: Collection[UUID]) -> dict[UUID, TaskInstanceStatus]:
    """Task instance → its state now. Those that do not exist any more are left out."""
    found: dict[UUID, TaskInstanceStatus] = {}
    for ids in _chunks(task_instance_ids):
        rows = db.execute(
            select(TaskInstance.id, TaskInstance.state, TaskInstance.queued_by_job_id).where(
                TaskInstance.id.in_(ids)
            )
        )
        for id_, state, job_id in rows:
            found[id_] = TaskInstanceStatus(
                None if state is None else str(getattr(state, "value", state)), job_id
            )
    return found


def restarting(db: Session, attempts: Collection[Attempt]) -> dict[UUID, TaskInstanceStatus]:
    """Attempt → the state of what became of its task instance, for those that were cleared while they ran: Airflow
    gives such a row a new id at once and keeps everything else of it until the old process is known to be gone."""
    runs: dict[tuple[str | None, str | None], list[Attempt]] = {}
    for attempt in attempts:
        runs.setdefault((attempt.dag_id, attempt.run_id), []).append(attempt)
    found: dict[UUID, TaskInstanceStatus] = {}
    for (dag_id, run_id), its in runs.items():
        rows = db.execute(
            select(
                TaskInstance.task_id,
                TaskInstance.map_index,
                TaskInstance.try_number,
                TaskInstance.queued_by_job_id,
            ).where(
                TaskInstance.dag_id == dag_id,
                TaskInstance.run_id == run_id,
                TaskInstance.state == TaskInstanceState.RESTARTING,
            )
        )
        jobs = {(task, index, number): job for task, index, number, job in rows}
        for attempt in its:
            key = (attempt.task_id, attempt.map_index, attempt.try_number)
            if key in jobs:
                found[attempt.id] = TaskInstanceStatus(TaskInstanceState.RESTARTING.value, jobs[key])
    return found


def still_queued(db: Session, task_instance_ids: Collection[UUID]) -> set[UUID]:
    """Those of the task instances that wait to be run: not marked, cleared or deleted since."""
    return {id_ for id_, one in states(db, task_instance_ids).items() if is_queued(one.state)}


def state_of(task_instance_id: InstrumentedAttribute[UUID]) -> ScalarSelect[str | None]:
    """The state of the task instance a column names, to be selected beside it; None when there is none."""
    return select(TaskInstance.state).where(TaskInstance.id == task_instance_id).scalar_subquery()


def is_queued(state: str | None) -> bool:
    """It is that of a task instance that waits to be run."""
    return state == TaskInstanceState.QUEUED


def keep_alive(db: Session, task_instance_ids: Iterable[UUID], *, now: datetime, older_than: datetime) -> int:
    """Count as heard from, at `now`, those running task instances whose last heartbeat is older than `older_than`.

    Airflow fails what it has not heard from for five minutes. Whether an agent that is cut off has lost its work is
    for its lease to say, and for the operator's on_agent_loss.
    """
    touched = 0
    for ids in _chunks(list(task_instance_ids)):
        result = changed(
            db,
            update(TaskInstance)
            .where(
                TaskInstance.id.in_(ids),
                TaskInstance.state.in_([TaskInstanceState.RUNNING, TaskInstanceState.RESTARTING]),
                TaskInstance.last_heartbeat_at < older_than,
            )
            .values(last_heartbeat_at=now),
        )
        touched += result
    return touched


def _chunks(ids: Collection[UUID]) -> Iterator[list[UUID]]:
    listed = list(ids)
    for start in range(0, len(listed), _CHUNK):
        yield listed[start : start + _CHUNK]
