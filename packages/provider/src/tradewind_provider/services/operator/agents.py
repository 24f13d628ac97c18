"""Agents as people see them, and what is asked of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tradewind_protocol import errors, operator, polling, sessions, states
from tradewind_provider import notifications
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import audit, commands
from tradewind_provider.services.operator import agent_views, attempts, connectivity, sentinels
from tradewind_provider.services.operator.pages import PageRequest
from tradewind_provider.store.tables import AgentCommand, AgentSession


def page(
    db: Session,
    paging: PageRequest,
    *,
    gone: bool,
    state: states.AgentState | None,
    name: str | None,
    now: datetime,
    beats: HeartbeatLimits,
) -> operator.Page[operator.AgentView]:
    """The newest session of every agent, by name. A name or a state of the gone asks for the gone too."""
    wanted = agent_views.newest(gone=gone or name is not None or state in states.GONE)
    if name is not None:
        wanted = wanted.where(AgentSession.name == name)
    # a state is computed and not stored, so it is compared here: agents are thousands at most
    views = [
        view
        for view in agent_views.views(db, wanted, now=now, beats=beats)
        if state is None or view.state is state
    ]
    return operator.Page[operator.AgentView](
        items=tuple(paging.of(views)), total=len(views), limit=paging.limit, offset=paging.offset
    )


def get(
    db: Session, agent_id: UUID, *, readable: Collection[str] | None, now: datetime, beats: HeartbeatLimits
) -> operator.AgentView:
    """One agent with what runs on it, as far as the caller may read. Raises Refused NOT_FOUND."""
    session = agent_views.find(db, agent_id)
    filters = attempts.AttemptFilters(
        states=tuple(states.HELD),
        session_id=session.id,
        readable=readable,
    )
    running = attempts.page(db, filters, PageRequest(limit=1000), now=now, beats=beats).items
    return agent_views.view(db, session, now=now, beats=beats).model_copy(
        update={
            "running": running,
            "last_refused": connectivity.last_refused(db, session),
            "sentinel": sentinels.of_agent(db, site=session.site, name=session.name, now=now),
        }
    )


def cordon(db: Session, agent_id: UUID, *, actor: str, reason: str, now: datetime) -> None:
    """Offer the agent nothing new. Idempotent; another reason takes the place of the first."""
    session = agent_views.find_present(db, agent_id)
    if session.cordoned_at is None or (reason and reason != session.cordoned_reason):
        if session.cordoned_at is None:
            commands.ask(db, session.id, polling.Verb.CORDON, asked_by=actor, reason=reason, now=now)
        session.cordoned_at, session.cordoned_by, session.cordoned_reason = now, actor, reason
        _record(db, session, "agent_cordoned", actor=actor, reason=reason, now=now)


def drain(db: Session, agent_id: UUID, *, actor: str, reason: str, now: datetime) -> None:
    """Let the agent finish what runs, then leave. Idempotent."""
    session = agent_views.find_present(db, agent_id)
    if session.draining_at is None:
        session.draining_at, session.draining_by, session.draining_reason = now, actor, reason
        commands.ask(db, session.id, polling.Verb.DRAIN, asked_by=actor, reason=reason, now=now)
        _record(db, session, "agent_drained", actor=actor, reason=reason, now=now)


def resume(db: Session, agent_id: UUID, *, actor: str, reason: str, now: datetime) -> None:
    """Undo a cordon. Idempotent. Raises Refused CONFLICT for a draining agent: it leaves. Of one that is gone, what it
    would come back with: its cordon, and a drain that was cut off."""
    session = agent_views.find(db, agent_id)
    if session.ended_at is not None:
        if session.cordoned_at is not None or session.draining_at is not None:
            session.cordoned_at = session.cordoned_by = session.cordoned_reason = None
            session.draining_at = session.draining_by = session.draining_reason = None
            _record(db, session, "agent_resumed", actor=actor, reason=reason, now=now)
        return
    if session.draining_at is not None:
        raise errors.Refused(
            errors.Code.CONFLICT,
            f"agent {session.name!r} is draining and will leave",
            remedy="Start it again once it has left.",
        )
    if session.cordoned_at is not None:
        session.cordoned_at = session.cordoned_by = session.cordoned_reason = None
        commands.ask(db, session.id, polling.Verb.RESUME, asked_by=actor, reason=reason, now=now)
        _record(db, session, "agent_resumed", actor=actor, reason=reason, now=now)
        notifications.publish(db, notifications.WORK)  # what waited may go there again


def set_slots(db: Session, agent_id: UUID, ask: operator.SetSlots, *, actor: str, now: datetime) -> None:
    """Ask the agent to give a task environment that many slots.

    Raises Refused NOT_FOUND naming the environments there are.
    """
    session = agent_views.find_present(db, agent_id)
    environments = [sessions.TaskEnvironment.model_validate(one) for one in session.environments]
    if ask.environment not in [one.name for one in environments]:
        known = ", ".join(one.name for one in environments) or "none"
        raise errors.Refused(
            errors.Code.NOT_FOUND,
            f"agent {session.name!r} has no task environment {ask.environment!r}; it has: {known}",
        )
    arguments = {"environment": ask.environment, "slots": ask.slots}
    commands.ask(
        db,
        session.id,
        polling.Verb.SET_SLOTS,
        asked_by=actor,
        reason=ask.reason,
        now=now,
        arguments=arguments,
    )
    _record(db, session, "agent_slots_set", actor=actor, reason=ask.reason, now=now, detail=arguments)


def remove(db: Session, agent_id: UUID, *, actor: str, reason: str, now: datetime) -> None:
    """Forget every session of an agent that is gone.

    Raises Refused NOT_FOUND, and CONFLICT while a session of it has not ended.
    """
    session = agent_views.find(db, agent_id)
    if session.ended_at is None:
        raise errors.Refused(
            errors.Code.CONFLICT,
            f"agent {session.name!r} is not gone",
            remedy="Drain it first, or delete its agent token to end its session within seconds.",
        )
    ended = select(AgentSession.id).where(AgentSession.agent_id == agent_id)
    db.execute(delete(AgentCommand).where(AgentCommand.session_id.in_(ended)))
    db.execute(delete(AgentSession).where(AgentSession.agent_id == agent_id))
    _record(db, session, "agent_removed", actor=actor, reason=reason, now=now)


def _record(
    db: Session,
    session: AgentSession,
    action: str,
    *,
    actor: str,
    reason: str,
    now: datetime,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Announce a change to the agents and write it down."""
    notifications.publish(db, notifications.AGENTS)
    audit.record(
        db,
        action=action,
        actor=actor,
        subject=f"agent:{session.name}",
        reason=reason,
        now=now,
        detail={"agent_id": str(session.agent_id), **(detail or {})},
    )
