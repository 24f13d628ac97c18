"""Canaries: one for each queue that an agent serves, by a schedule, through the table of attempts like all work.

A canary is no task instance and in no table of Airflow's. Its attempt is deleted once its result is written down.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tradewind_protocol.attempts import Outcome, WorkKind
from tradewind_protocol.operator import CanaryResult
from tradewind_protocol.states import AttemptState, Component
from tradewind_provider import notifications
from tradewind_provider.airflow import database
from tradewind_provider.domain import canaries as rules
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import audit, canary_verdicts
from tradewind_provider.store import attempt_states
from tradewind_provider.store.attempt_states import IS_CANARY
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import AgentSession, Attempt, CanaryRow

_AT_ONCE: Final = 20
"""How many begin in one sweep."""

_KEPT: Final = timedelta(minutes=10)
"""How long the attempt of a canary that has ended stays: its agent may send its report again."""


def sweep(db: Session, *, interval: float, beats: HeartbeatLimits, now: datetime) -> None:
    """Judge canaries whose time is up, begin those that are due, forget queues that no agent serves any more."""
    _forget_attempts(db, now)
    if not interval:
        for row in db.scalars(select(CanaryRow)).all():
            if row.attempt_id is not None:
                _take_back(db, row.attempt_id, now)
            db.delete(row)
        return
    _judge_late(db, beats, now)
    _see_queues(db, interval, now)
    _begin(db, interval, now)


def finished(
    db: Session, attempt: Attempt, outcome: Outcome, *, agent: str, granted_at: datetime, now: datetime
) -> None:
    """An agent has reported how a canary ended. What was judged before is over."""
    row = db.scalar(select(CanaryRow).where(CanaryRow.attempt_id == attempt.id).with_for_update())
    if row is None:
        return
    verdict = rules.of_outcome(
        outcome, agent=agent, created_at=attempt.created_at, granted_at=granted_at, now=now
    )
    _conclude(db, row, verdict, now)


def _forget_attempts(db: Session, now: datetime) -> None:
    old = select(Attempt.id).where(IS_CANARY, Attempt.ended_at < now - _KEPT)
    ids = list(db.scalars(old))
    if ids:
        changed(db, delete(Attempt).where(Attempt.id.in_(ids)))


def _see_queues(db: Session, interval: float, now: datetime) -> None:
    """Write down which queues agents serve. A queue that has just been seen gets its first canary within one interval."""
    served = set(_served(db))
    known = {(row.site, row.queue): row for row in db.scalars(select(CanaryRow))}
    for site, queue in served - known.keys():
        due = rules.first_due(site, queue, interval, now)
        db.add(CanaryRow(site=site, queue=queue, served_at=now, due_at=due, seconds={}))
    for name, row in known.items():
        if name in served and now - row.served_at > rules.FORGOTTEN_AFTER / 24:
            row.served_at = now
        elif name not in served and now - row.served_at > rules.FORGOTTEN_AFTER:
            db.delete(row)
        if row.due_at > now + timedelta(seconds=interval):  # the interval was longer
            row.due_at = rules.first_due(row.site, row.queue, interval, now)
    db.flush()


def _served(db: Session) -> Iterator[tuple[str, str]]:
    for site, components, environments in db.execute(
        select(AgentSession.site, AgentSession.components, AgentSession.environments).where(
            AgentSession.ended_at.is_(None)
        )
    ):
        if Component.WORKER.value in components:
            for one in environments:
                yield from ((site, queue) for queue in one.get("queues") or ())


def _begin(db: Session, interval: float, now: datetime) -> None:
    rows = db.scalars(
        select(CanaryRow)
        .where(CanaryRow.attempt_id.is_(None), CanaryRow.due_at <= now)
        .order_by(CanaryRow.due_at)
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        row.attempt_id, row.began_at = uuid4(), now
        row.due_at = now + timedelta(seconds=interval)
        db.add(
            Attempt(
                id=row.attempt_id,
                kind=WorkKind.CANARY.value,
                subject_id=row.attempt_id,
                label=f"canary of queue {row.queue}",
                site=row.site,
                queue=row.queue,
                priority=rules.PRIORITY,
                payload=database.encrypt(json.dumps({"type": "Canary", "queue": row.queue})),
                state=AttemptState.QUEUED.value,
                epoch=0,
                created_at=now,
                reported_at=now,  # it is reported to no scheduler
                reason="",
            )
        )
    if rows:
        db.flush()
        notifications.publish(db, notifications.WORK)


def _judge_late(db: Session, beats: HeartbeatLimits, now: datetime) -> None:
    """Judge those that were not claimed in time, were not reported in time, or whose attempt ended without a report."""
    rows = db.execute(
        select(CanaryRow, Attempt)
        .outerjoin(Attempt, Attempt.id == CanaryRow.attempt_id)
        .where(CanaryRow.attempt_id.is_not(None))
        .with_for_update(skip_locked=True, of=CanaryRow)
    ).all()
    for row, attempt in rows:
        if attempt is None or attempt.state == AttemptState.REVOKED.value:
            _conclude(db, row, None, now)
        elif attempt.state == AttemptState.FINISHED.value:
            _conclude(db, row, canary_verdicts.of_ended(db, attempt, now), now)
        elif attempt.state == AttemptState.RUNNING.value:
            if attempt.granted_at is not None and now - attempt.granted_at > rules.ENDED_WITHIN:
                _conclude(db, row, canary_verdicts.of_silent(db, attempt, attempt.granted_at, now), now)
        elif now - attempt.created_at > rules.CLAIMED_WITHIN:
            offered, declined = attempt.epoch > 0, attempt.reason
            if _take_back(db, attempt.id, now):
                serving = canary_verdicts.serving(db, row, beats, now)
                verdict = rules.of_waiting(row.queue, serving, declined=declined, offered=offered)
                _conclude(db, row, verdict, now)


def _take_back(db: Session, attempt_id: UUID, now: datetime) -> bool:
    """False when an agent confirmed it at this moment."""
    taken = attempt_states.move(
        AttemptState.REVOKED,
        Attempt.id == attempt_id,
        ended_at=now,
        payload="",
        reason="it was not claimed in time",
    )
    return changed(db, taken) == 1


def _conclude(db: Session, row: CanaryRow, verdict: rules.Verdict | None, now: datetime) -> None:
    """Write a verdict down. A change from good to bad, from bad to good, or of what is bad is an event."""
    row.attempt_id = None
    if verdict is None:
        return
    failed_before = (row.hop, row.rule) if row.failures else None
    row.judged_at, row.result = now, verdict.result.value
    row.failures = rules.failures_after(row.failures, verdict)
    row.agent = verdict.agent[:250]
    if verdict.result in (
        CanaryResult.OK,
        CanaryResult.FAILED,
    ):  # others were not tried, and leave what failed
        row.hop, row.rule = verdict.hop.value if verdict.hop else None, verdict.rule[:200]
    row.reason, row.remedy = verdict.reason, verdict.remedy
    row.seconds = {hop: round(took, 4) for hop, took in verdict.seconds.items()}
    if verdict.result is CanaryResult.OK:
        row.ok_at = now
        if failed_before is not None:
            _event(db, row, "canary_recovered", "a canary went all the way again", now)
    elif verdict.result is CanaryResult.FAILED and failed_before != (row.hop, row.rule):
        _event(db, row, "canary_failed", verdict.reason, now)


def _event(db: Session, row: CanaryRow, action: str, reason: str, now: datetime) -> None:
    detail = {"site": row.site, "hop": row.hop, "agent": row.agent, "rule": row.rule, "remedy": row.remedy}
    audit.record(
        db,
        action=action,
        actor=audit.PLANE,
        subject=f"queue:{row.queue}",
        reason=reason,
        now=now,
        detail={name: value for name, value in detail.items() if value},
    )
