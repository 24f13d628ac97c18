"""A triggerer session in Airflow's eyes: a row of its `job` table, by which its health page and takeover go."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from airflow.configuration import conf
from airflow.jobs.job import Job, JobState
from airflow.jobs.triggerer_job_runner import TriggererJobRunner
from airflow.models.asset import AssetModel, AssetWatcherModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from sqlalchemy import Select, insert, select, update
from sqlalchemy.orm import Session

from tradewind_protocol import hostnames

JOB_TYPE = TriggererJobRunner.job_type


def _marker(session_id: UUID) -> str:
    """What stands in `job.unixname`, which says on whose behalf a job runs."""
    return f"tradewind:{session_id}"


def session_of(job: Job | None) -> UUID | None:
    """The session a job stands for; None for a job of Airflow's own."""
    prefix, _, session_id = (getattr(job, "unixname", None) or "").partition(":")
    try:
        return UUID(session_id) if prefix == "tradewind" else None
    except ValueError:
        return None


def find(db: Session, session_id: UUID) -> int | None:
    """The running job of that session, if it has one."""
    return db.scalar(
        select(Job.id)
        .where(Job.job_type == JOB_TYPE, Job.unixname == _marker(session_id), Job.end_date.is_(None))
        .order_by(Job.id)
        .limit(1)
    )


def start(db: Session, session_id: UUID, *, agent_name: str, now: datetime) -> int:
    """A new running job. The caller has made sure that there is none and that no other process makes one."""
    # not through Job(): its constructor asks for this machine's host name and tells listeners of a component here
    db.execute(
        insert(Job).values(
            job_type=JOB_TYPE,
            state=JobState.RUNNING,
            hostname=hostnames.of_triggerer(agent_name),
            unixname=_marker(session_id),
            start_date=now,
            latest_heartbeat=now,
        )
    )
    job_id = find(db, session_id)
    if job_id is None:
        raise LookupError(f"the triggerer job of session {session_id} is not there after it was made")
    return job_id


def beat(db: Session, job_ids: Collection[int], *, now: datetime, older_than: datetime) -> None:
    """Refresh the heartbeats that are older than `older_than`; a write only when there is one."""
    stale = select(Job.id).where(
        Job.id.in_(job_ids), Job.end_date.is_(None), Job.latest_heartbeat < older_than
    )
    if found := db.scalars(stale).all():
        db.execute(
            update(Job)
            .where(Job.id.in_(found))
            .values(latest_heartbeat=now)
            .execution_options(synchronize_session=False)
        )


def end(db: Session, session_id: UUID, *, now: datetime) -> bool:
    """End the session's job and let go of its triggers. Idempotent; False when there was nothing to end."""
    job_ids = db.scalars(
        select(Job.id).where(
            Job.job_type == JOB_TYPE, Job.unixname == _marker(session_id), Job.end_date.is_(None)
        )
    ).all()
    if not job_ids:
        return False
    db.execute(
        update(Job)
        .where(Job.id.in_(job_ids))
        .values(end_date=now, state=JobState.SUCCESS)
        .execution_options(synchronize_session=False)
    )
    db.execute(
        update(Trigger)
        .where(Trigger.triggerer_id.in_(job_ids))
        .values(triggerer_id=None)
        .execution_options(synchronize_session=False)
    )
    return True


def alive(since: datetime) -> Select[int]:
    """The ids of triggerer jobs heard from after `since`, ours and Airflow's own alike."""
    return select(Job.id).where(
        Job.job_type == JOB_TYPE, Job.end_date.is_(None), Job.latest_heartbeat > since
    )


def runs_trigger_of(db: Session, session_id: UUID, ti_id: UUID) -> bool:
    """True when the trigger that task instance waits for is assigned to that session."""
    waits = _assigned(session_id).join(TaskInstance, TaskInstance.trigger_id == Trigger.id)
    return db.scalar(waits.where(TaskInstance.id == ti_id)) is not None


def runs_trigger_of_task(db: Session, session_id: UUID, task: tuple[str, str, str, int]) -> bool:
    """As `runs_trigger_of`, for the task instance of that Dag id, run id, task id and map index."""
    waits = _assigned(session_id).join(TaskInstance, TaskInstance.trigger_id == Trigger.id)
    columns = (TaskInstance.dag_id, TaskInstance.run_id, TaskInstance.task_id, TaskInstance.map_index)
    return (
        db.scalar(waits.where(*(column == value for column, value in zip(columns, task, strict=True))))
        is not None
    )


def runs_watcher_of(db: Session, session_id: UUID, *, name: str | None, uri: str | None) -> bool:
    """True when a trigger that watches that asset is assigned to that session."""
    watches = (
        _assigned(session_id)
        .join(AssetWatcherModel, AssetWatcherModel.trigger_id == Trigger.id)
        .join(AssetModel, AssetModel.id == AssetWatcherModel.asset_id)
    )
    if name is not None:
        watches = watches.where(AssetModel.name == name)
    if uri is not None:
        watches = watches.where(AssetModel.uri == uri)
    return (name is not None or uri is not None) and db.scalar(watches) is not None


def _assigned(session_id: UUID) -> Select[int]:
    """One trigger of those that are assigned to a session."""
    return (
        select(Trigger.id)
        .join(Job, Job.id == Trigger.triggerer_id)
        .where(Job.unixname == _marker(session_id), Job.end_date.is_(None))
        .limit(1)
    )


def health_threshold() -> float:
    """Seconds without a heartbeat after which Airflow calls a triggerer dead."""
    return float(conf.getfloat("triggerer", "triggerer_health_check_threshold"))
