"""How a session ends, and what becomes of its work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from tradewind_protocol.states import AttemptState, OutcomeKind
from tradewind_provider import notifications
from tradewind_provider.domain.agents import SessionEnd
from tradewind_provider.services import audit, triggers
from tradewind_provider.services.dags import bundles
from tradewind_provider.store import attempt_states
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import AgentCommand, AgentSession, Attempt

log = logging.getLogger(__name__)

HandOver = Callable[[Session, UUID, datetime], None]
"""Frees what a session has, so that another agent takes it at once. Called in the transaction that ends the session or
gives its agent up; idempotent."""

HAND_OVERS: Final[tuple[HandOver, ...]] = (triggers.release_triggers, bundles.release_bundles)
"""What other agents take over from a session, besides its attempts."""


def end(db: Session, session: AgentSession, *, how: SessionEnd, reason: str, now: datetime) -> bool:
    """End a session: its offers go back to the queue, what it runs is reported lost, others take over the rest.

    `reason` says what happened, for a person ("closed its session"). Idempotent; False when it had ended before.
    """
    ended = changed(
        db,
        update(AgentSession)
        .where(AgentSession.id == session.id, AgentSession.ended_at.is_(None))
        .values(ended_at=now, ended_how=how.value, ended_reason=reason),
    )
    if ended != 1:
        return False
    release_offers(db, session.id)
    lose_running(db, session, reason=reason, now=now)
    changed(
        db,
        update(AgentCommand)
        .where(AgentCommand.session_id == session.id, AgentCommand.carried_out_at.is_(None))
        .values(carried_out_at=now),
    )
    hand_over(db, session.id, now)
    notifications.publish(db, notifications.AGENTS)
    audit.record(
        db,
        action=f"session_{how.value}",
        actor=f"agent:{session.name}" if how is SessionEnd.GOODBYE else audit.PLANE,
        subject=f"agent:{session.name}",
        reason=reason,
        now=now,
        detail={"agent_id": str(session.agent_id), "session_id": str(session.id)},
    )
    log.info(
        "Session of agent %s ended: %s",
        session.name,
        reason,
        extra={"action": "session_ended", "how": how.value},
    )
    return True


def release_offers(db: Session, session_id: UUID) -> int:
    """Put what was offered to a session and not started back into the queue, and wake polls that wait for work."""
    released = changed(
        db,
        attempt_states.move(
            AttemptState.QUEUED, Attempt.session_id == session_id, session_id=None, offered_until=None
        ),
    )
    if released:
        notifications.publish(db, notifications.WORK)
    return released


def lose_running(
    db: Session, session: AgentSession, *, reason: str, now: datetime, only: list[UUID] | None = None
) -> int:
    """Report what a session runs as lost: user code may have run, so Airflow's retries decide. `only` limits it."""
    condition = [Attempt.session_id == session.id, Attempt.state == AttemptState.RUNNING.value]
    if only is not None:
        condition.append(Attempt.id.in_(only))
    return changed(
        db,
        attempt_states.move(
            AttemptState.FINISHED,
            *condition,
            outcome=OutcomeKind.LOST.value,
            reason=f"agent {session.name!r} {reason}",
            ended_at=now,
            payload="",
        ),
    )


def hand_over(db: Session, session_id: UUID, now: datetime) -> None:
    """Let other agents take over the triggers and bundles of the session."""
    for release in HAND_OVERS:
        release(db, session_id, now)
