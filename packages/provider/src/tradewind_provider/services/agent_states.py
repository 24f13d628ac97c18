"""Every change of an agent's state becomes an event with its cause.

The state is computed, from what the agent reports and from silence; an event needs a process that notices. A poll notices
what it says itself, a sweep notices silence. That an agent is lost, offline, cordoned or draining is written down by
the code that makes it so.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from tradewind_protocol.states import AgentState
from tradewind_provider import notifications
from tradewind_provider.domain import agents
from tradewind_provider.services import audit
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import AgentSession

_NOTED = frozenset({AgentState.HEALTHY, AgentState.DEGRADED, AgentState.UNREACHABLE})
_EVENTS_OF_THEIR_OWN = frozenset(
    {AgentState.CORDONED.value, AgentState.DRAINING.value, AgentState.LOST.value}
)
"""That an agent is out of these and well has an event of its own: who resumed it, or that it returned."""


def record_of(session: AgentSession) -> agents.AgentRecord:
    """A session's row as the rules want it."""
    return agents.AgentRecord(
        opened_at=session.opened_at,
        last_beat_at=session.last_beat_at,
        cordoned=session.cordoned_at is not None,
        draining=session.draining_at is not None,
        failing=bool(problems(session)),
        starting=any(one.get("starting") for one in session.environments),
        ended=agents.SessionEnd(session.ended_how) if session.ended_how else None,
    )


def notice(db: Session, session: AgentSession, beats: agents.HeartbeatLimits, *, now: datetime) -> None:
    """Notice the state of an agent that polls at this moment. Idempotent."""
    _notice(db, session, agents.state_of(record_of(session), now, beats), beats, now=now)


def notice_silence(
    db: Session, beats: agents.HeartbeatLimits, *, listening_since: datetime, now: datetime
) -> int:
    """Notice agents that missed a beat, and those heard again since. Returns how many. Only time during which this
    process listened counts, as for giving an agent up."""
    silent_from = now - timedelta(seconds=beats.missed_after)
    last_beat = func.coalesce(AgentSession.last_beat_at, AgentSession.opened_at)
    unreachable = AgentSession.noted_state == AgentState.UNREACHABLE.value
    not_yet = or_(AgentSession.noted_state.is_(None), ~unreachable)
    moved = [and_(unreachable, last_beat >= silent_from)]
    if listening_since < silent_from:
        moved.append(and_(not_yet, last_beat < silent_from))
    rows = db.scalars(select(AgentSession).where(AgentSession.ended_at.is_(None), or_(*moved))).all()
    for session in rows:
        _notice(db, session, agents.state_of(record_of(session), now, beats), beats, now=now)
    return len(rows)


def _notice(
    db: Session, session: AgentSession, state: AgentState, beats: agents.HeartbeatLimits, *, now: datetime
) -> None:
    before = session.noted_state
    if state.value == before:
        return
    # Of two API servers that notice the same, one writes it down.
    same = AgentSession.noted_state.is_(None) if before is None else AgentSession.noted_state == before
    noticed = update(AgentSession).where(AgentSession.id == session.id, same).values(noted_state=state.value)
    if changed(db, noticed) != 1:
        return
    session.noted_state = state.value
    if state not in _NOTED or (before in _EVENTS_OF_THEIR_OWN and state is AgentState.HEALTHY):
        return
    audit.record(
        db,
        action=f"agent_{state.value}",
        actor=audit.PLANE,
        subject=f"agent:{session.name}",
        reason=_cause(session, state, before, now),
        now=now,
        detail={
            "agent_id": str(session.agent_id),
            "session_id": str(session.id),
            "before": before or AgentState.STARTING.value,
        },
    )
    notifications.publish(db, notifications.AGENTS)


def _cause(session: AgentSession, state: AgentState, before: str | None, now: datetime) -> str:
    if state is AgentState.UNREACHABLE:
        last = session.last_beat_at or session.opened_at
        return f"has sent no poll for {(now - last).total_seconds():.0f} s (last at {last:%Y-%m-%d %H:%M:%S} UTC)"
    if state is AgentState.DEGRADED:
        return "; ".join(problems(session))[:4000]
    if before is None:
        return "polled for the first time, and its own checks pass"
    if before == AgentState.STARTING.value:
        return "is ready for work, and its own checks pass"
    if before == AgentState.DEGRADED.value:
        return "its own checks pass again"
    return "polls again, and its own checks pass"


def problems(session: AgentSession) -> list[str]:
    """What makes an agent degraded: findings of its own checks, and task environments that cannot run work."""
    return [str(one["message"]) for one in session.findings or () if one.get("message")] + [
        f"environment {one['name']}: {one['problem']}" for one in session.environments if one.get("problem")
    ]
