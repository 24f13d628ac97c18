"""What time alone decides: offers whose time is up, silent agents, attempts their agent does not name, old rows."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.states import AgentState, AttemptState
from tradewind_provider import notifications
from tradewind_provider.airflow import workloads
from tradewind_provider.domain import agents
from tradewind_provider.services import agent_states, audit, refused_tries, sentinels, session_termination
from tradewind_provider.settings import Settings
from tradewind_provider.store import attempt_states
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import AgentCommand, AgentSession, Attempt, Event, FormerTokenValue

log = logging.getLogger(__name__)

KEEP_ALIVE_AFTER = 60.0
"""A running task whose agent is cut off counts as heard from when its last heartbeat is this old."""


def expire_offers(db: Session, *, now: datetime) -> int:
    """Put offers that were not confirmed in time back into their queue. Returns how many."""
    expired = changed(
        db,
        attempt_states.move(
            AttemptState.QUEUED, Attempt.offered_until < now, session_id=None, offered_until=None
        ),
    )
    if expired:
        notifications.publish(db, notifications.WORK)
        log.info("%d offers were not confirmed in time", expired, extra={"action": "offers_expired"})
    return expired


def lose_agents(db: Session, settings: Settings, *, listening_since: datetime, now: datetime) -> list[str]:
    """Give up agents that have been silent too long, and return their names.

    Their offers are free at once; running work is reported lost, or waits as on_agent_loss says for its queue. Only
    processes that agents can reach may call this: `listening_since` is since when, without a gap.
    """
    beats = agents.HeartbeatLimits(settings.cadence.poll, settings.cadence.lost_after)
    quiet = select(AgentSession).where(
        AgentSession.ended_at.is_(None),
        func.coalesce(AgentSession.last_beat_at, AgentSession.opened_at)
        < now - timedelta(seconds=beats.lost_after),
    )
    names = []
    for session in db.scalars(quiet).all():
        record = agent_states.record_of(session)
        if not agents.lost(record, now, beats, listening_since=listening_since):
            continue
        since = agents.silent_since(record, listening_since)
        if _give_up(db, session, settings, silent=since, now=now):
            names.append(session.name)
    return names


def _give_up(
    db: Session, session: AgentSession, settings: Settings, *, silent: datetime, now: datetime
) -> bool:
    """True when the agent was not given up before."""
    last_beat = session.last_beat_at or session.opened_at
    silence = (now - last_beat).total_seconds()
    reason = (
        f"has sent no poll for {silence:.0f} s (last at {last_beat:%Y-%m-%d %H:%M:%S} UTC); "
        "its machine, its process or the network between is down"
    )
    waits = {
        row.id: settings.on_agent_loss.wait(row.queue)
        for row in db.scalars(
            select(Attempt).where(
                Attempt.session_id == session.id, Attempt.state == AttemptState.RUNNING.value
            )
        )
    }
    over = [
        id_
        for id_, wait in waits.items()
        if (now - silent).total_seconds() > max(settings.cadence.lost_after, wait)
    ]
    if len(over) == len(waits):
        return session_termination.end(db, session, how=agents.SessionEnd.LOST, reason=reason, now=now)
    session_termination.lose_running(db, session, reason=reason, now=now, only=over)
    if session.lost_at is not None:
        return False
    session.lost_at, session.noted_state = now, AgentState.LOST.value
    session_termination.release_offers(db, session.id)
    session_termination.hand_over(db, session.id, now)
    notifications.publish(db, notifications.AGENTS)
    audit.record(
        db,
        action="agent_silent",
        actor=audit.PLANE,
        subject=f"agent:{session.name}",
        reason=f"{reason}; {len(waits) - len(over)} running attempts wait for it, as on_agent_loss says",
        now=now,
        detail={"agent_id": str(session.agent_id), "session_id": str(session.id)},
    )
    return True


def lose_missing(db: Session, settings: Settings, *, now: datetime) -> int:
    """Report as lost what an agent was granted and has not named for `lost_after` seconds, though it polls."""
    rows = db.execute(
        select(Attempt.id, AgentSession)
        .join(AgentSession, AgentSession.id == Attempt.session_id)
        .where(
            Attempt.state == AttemptState.RUNNING.value,
            Attempt.missing_since < now - timedelta(seconds=settings.cadence.lost_after),
        )
    ).all()
    for attempt_id, session in rows:
        session_termination.lose_running(
            db,
            session,
            reason="was given this attempt and does not know of it any more",
            now=now,
            only=[attempt_id],
        )
    return len(rows)


def keep_tasks_alive(db: Session, settings: Settings, *, plane_away: bool, now: datetime) -> int:
    """Hold off Airflow's own heartbeat timeout for tasks whose agent cannot be heard but has not been given up.

    An agent that polls reports its tasks itself, so a hung task of it is still found by Airflow. `plane_away`: agents
    could not reach this plane a moment ago, so all of them are given the time.
    """
    cut_off = (
        select(Attempt.subject_id)
        .join(AgentSession, AgentSession.id == Attempt.session_id)
        .where(
            Attempt.state == AttemptState.RUNNING.value,
            Attempt.kind == WorkKind.TASK.value,
            AgentSession.ended_at.is_(None),
        )
    )
    if not plane_away:
        silent = now - timedelta(seconds=agents.HeartbeatLimits(settings.cadence.poll, 0).missed_after)
        cut_off = cut_off.where(AgentSession.last_beat_at < silent)
    ids: list[UUID] = list(db.scalars(cut_off).all())
    if not ids:
        return 0
    return workloads.keep_alive(db, ids, now=now, older_than=now - timedelta(seconds=KEEP_ALIVE_AFTER))


def forget(db: Session, settings: Settings, *, now: datetime) -> None:
    """Delete rows older than history_days and events_days."""
    old = now - timedelta(days=settings.history_days)
    changed(db, delete(Attempt).where(Attempt.ended_at < old))
    changed(db, delete(AgentCommand).where(AgentCommand.carried_out_at < old))
    changed(db, delete(AgentSession).where(AgentSession.ended_at < old))
    changed(db, delete(FormerTokenValue).where(FormerTokenValue.good_until < now - timedelta(days=365)))
    sentinels.forget(db, now=now)
    refused_tries.forget(db, now=now)
    if settings.events_days:
        before = now - timedelta(days=settings.events_days)
        changed(db, delete(Event).where(Event.at < before))
