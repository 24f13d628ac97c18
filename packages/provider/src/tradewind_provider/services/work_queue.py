"""What the executor writes: work comes in, is taken back, changes hands between schedulers, and is reported."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.states import AttemptState, OutcomeKind, process_end
from tradewind_provider import notifications
from tradewind_provider.airflow import database, workloads
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.domain import scheduler_reports
from tradewind_provider.services import attempt_spans, work_routes
from tradewind_provider.store import attempt_states
from tradewind_provider.store.attempt_states import IS_CANARY, UNFINISHED
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import Attempt


@dataclass(frozen=True)
class EndedAttempt:
    """An attempt that ended and what the scheduler gets of it."""

    attempt_id: UUID
    key: Any
    event: scheduler_reports.SchedulerEvent
    reason: str


def queue(
    db: Session,
    work: workloads.Workload,
    *,
    scheduler_job_id: int | None,
    executor: str | None,
    now: datetime,
    clock: Clock = utc_now,
) -> UUID:
    """Put work into its queue, in the scheduler's own transaction: it waits exactly when Airflow says QUEUED."""
    changed(
        db,
        attempt_states.move(
            AttemptState.REVOKED,
            Attempt.subject_id == work.subject_id,
            ended_at=now,
            payload="",
            reason="it was queued again since",
        ),
    )
    route = work_routes.route(db, work)
    attempt = Attempt(
        id=uuid4(),
        kind=work.kind.value,
        subject_id=work.subject_id,
        executor=executor,
        dag_id=work.dag_id,
        run_id=work.run_id,
        task_id=work.task_id,
        map_index=work.map_index,
        try_number=work.try_number,
        label=work.label,
        site=route.site,
        bundle=route.bundle,
        queue=route.queue,
        priority=work.priority,
        payload=database.encrypt(json.dumps(work.workload)),
        state=AttemptState.QUEUED.value,
        epoch=0,
        created_at=now,
        scheduler_job_id=scheduler_job_id,
        reason="",
        traceparent=work.traceparent,
    )
    db.add(attempt)
    notifications.publish(db, notifications.WORK)
    attempt_spans.enqueued(attempt, now=clock())
    return attempt.id


def revoke(db: Session, subject_ids: Collection[UUID], *, reason: str, now: datetime) -> int:
    """Take work back that no agent has started. Returns how many attempts."""
    if not subject_ids:
        return 0
    revoked = changed(
        db,
        attempt_states.move(
            AttemptState.REVOKED,
            Attempt.subject_id.in_(subject_ids),
            ended_at=now,
            payload="",
            reason=reason,
        ),
    )
    if revoked:
        notifications.publish(db, notifications.AGENTS)
    return revoked


def revoke_unwanted(db: Session, *, scheduler_job_id: int | None, now: datetime, most: int = 2000) -> int:
    """Take back what waits for a task instance that does not: cleared, marked or deleted since. Returns how many."""
    rows = db.execute(
        select(Attempt.id, Attempt.subject_id)
        .where(
            Attempt.scheduler_job_id == scheduler_job_id,
            Attempt.state == AttemptState.QUEUED.value,
            Attempt.kind == WorkKind.TASK.value,
        )
        .order_by(Attempt.created_at)
        .limit(most)
    ).all()
    wanted = workloads.still_queued(db, {subject for _, subject in rows})
    return revoke(
        db,
        {subject for _, subject in rows if subject not in wanted},
        reason="its task instance does not wait any more: it was cleared, marked or deleted",
        now=now,
    )


def has_unfinished(db: Session, subject_id: UUID) -> bool:
    """True while an attempt of that task instance waits, is offered or runs."""
    return (
        db.scalar(
            select(Attempt.id).where(Attempt.subject_id == subject_id, Attempt.state.in_(UNFINISHED)).limit(1)
        )
        is not None
    )


def adopt(db: Session, subject_ids: Collection[UUID], *, scheduler_job_id: int | None) -> set[UUID]:
    """Make this scheduler the one that reports these task instances: those it can answer for.

    A task instance is answered for when its newest attempt lives, or ended and its end has to be reported again, since the
    scheduler that got the report may have died with it.
    """
    later = aliased(Attempt)
    newest = db.scalars(
        select(Attempt).where(
            Attempt.subject_id.in_(subject_ids),
            Attempt.state != AttemptState.REVOKED.value,
            ~exists().where(
                later.subject_id == Attempt.subject_id,
                later.created_at > Attempt.created_at,
                later.state != AttemptState.REVOKED.value,
            ),
        )
    ).all()
    for attempt in newest:
        attempt.scheduler_job_id, attempt.reported_at = scheduler_job_id, None
    return {attempt.subject_id for attempt in newest}


def adopt_orphans(db: Session, *, running_jobs: Collection[int], scheduler_job_id: int) -> int:
    """Report callbacks and connection tests of schedulers that are gone; tasks are adopted by Airflow's own rules."""
    return changed(
        db,
        update(Attempt)
        .where(
            Attempt.kind.not_in([WorkKind.TASK.value, WorkKind.CANARY.value]),
            or_(Attempt.state.in_(UNFINISHED), Attempt.reported_at.is_(None)),
            Attempt.state != AttemptState.REVOKED.value,
            or_(Attempt.scheduler_job_id.is_(None), Attempt.scheduler_job_id.not_in(running_jobs)),
        )
        .values(scheduler_job_id=scheduler_job_id),
    )


def ended(db: Session, *, scheduler_job_id: int | None, now: datetime, most: int = 500) -> list[EndedAttempt]:
    """Attempts that ended and that the scheduler has not settled yet, oldest first. Marks as reported what needs no second look."""
    rows = db.scalars(
        select(Attempt)
        .where(
            Attempt.scheduler_job_id == scheduler_job_id,
            Attempt.state.in_([AttemptState.FINISHED.value, AttemptState.REVOKED.value]),
            Attempt.reported_at.is_(None),
            ~IS_CANARY,
        )
        .order_by(Attempt.ended_at)
        .limit(most)
    ).all()
    if not rows:
        return []
    tasks = [row for row in rows if row.kind == WorkKind.TASK.value]
    states = workloads.states(db, {row.subject_id for row in tasks})
    cleared = workloads.restarting(db, [row for row in tasks if row.subject_id not in states])
    superseded = _superseded(db, tasks)
    found = []
    for row in rows:
        state = states.get(row.subject_id) or cleared.get(row.id) or workloads.TaskInstanceStatus(None, None)
        report = _report(row, state, superseded, scheduler_job_id)
        if report.settled:
            row.reported_at = now
            attempt_spans.reported(row, now=now)
        found.append(EndedAttempt(row.id, workloads.key_of(row), report.event, _why_it_ended(row)))
    return found


def keys_of_unfinished(db: Session, *, scheduler_job_id: int | None) -> dict[UUID, Any]:
    """Attempt → its key, of everything this scheduler queued or adopted that has not ended."""
    rows = db.scalars(
        select(Attempt).where(
            Attempt.scheduler_job_id == scheduler_job_id, Attempt.state.in_(UNFINISHED), ~IS_CANARY
        )
    )
    return {row.id: workloads.key_of(row) for row in rows}


def running_callbacks(db: Session, *, scheduler_job_id: int | None) -> dict[UUID, Any]:
    """Attempt → its key, of callbacks an agent has started."""
    rows = db.scalars(
        select(Attempt).where(
            Attempt.scheduler_job_id == scheduler_job_id,
            Attempt.state == AttemptState.RUNNING.value,
            Attempt.kind == WorkKind.CALLBACK.value,
        )
    )
    return {row.id: workloads.key_of(row) for row in rows}


def _report(
    row: Attempt,
    state: workloads.TaskInstanceStatus,
    superseded: set[UUID],
    scheduler_job_id: int | None,
) -> scheduler_reports.SchedulerReport:
    if row.state == AttemptState.REVOKED.value or row.outcome is None:
        return scheduler_reports.SchedulerReport(scheduler_reports.SchedulerEvent.NOTHING, settled=True)
    outcome = OutcomeKind(row.outcome)
    if row.kind != WorkKind.TASK.value:
        succeeded = outcome is OutcomeKind.SUCCEEDED
        return scheduler_reports.SchedulerReport(
            scheduler_reports.SchedulerEvent.SUCCESS
            if succeeded
            else scheduler_reports.SchedulerEvent.FAILED,
            settled=True,
        )
    return scheduler_reports.report(
        outcome,
        ti_state=state.state,
        superseded=row.id in superseded,
        ours=state.queued_by_job_id == scheduler_job_id,
    )


def _superseded(db: Session, rows: Sequence[Attempt]) -> set[UUID]:
    """Those of the attempts after which the same task instance was queued again."""
    by_subject: dict[UUID, list[Attempt]] = {}
    for row in rows:
        by_subject.setdefault(row.subject_id, []).append(row)
    newer = _newest(db, by_subject)
    return {row.id for row in rows if newer.get(row.subject_id, row.created_at) > row.created_at}


def _newest(db: Session, subject_ids: Iterable[UUID]) -> dict[UUID, datetime]:
    found: dict[UUID, datetime] = {}
    for subject, created in db.execute(
        select(Attempt.subject_id, Attempt.created_at).where(
            Attempt.subject_id.in_(list(subject_ids)), Attempt.state != AttemptState.REVOKED.value
        )
    ):
        found[subject] = max(created, found.get(subject, created))
    return found


def _why_it_ended(row: Attempt) -> str:
    """Why it ended, for the event log of the task."""
    if row.reason:
        return row.reason
    if row.signal:
        return f"the task's supervisor was killed by {row.signal}"
    if row.exit_code:
        return f"the task's supervisor ended with exit code {row.exit_code}"
    if not row.outcome:
        return f"the attempt is {row.state}"
    how = process_end(OutcomeKind(row.outcome), exit_code=row.exit_code, signal=row.signal).value
    return f"process {how}" + (f", task {row.task_state}" if row.task_state else "")
