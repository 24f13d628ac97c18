"""What a person asked of an agent outlives the agent's process.

A person who cordons a bad machine means the machine, and not the process that runs there: an agent that opens
another session is still cordoned until a person resumes it. A drain that came to its end is done; one that was cut off
(the process was killed) goes on with the next.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from tradewind_protocol.polling import Verb
from tradewind_provider.domain.agents import SessionEnd
from tradewind_provider.services import audit, commands
from tradewind_provider.store.tables import AgentCommand, AgentSession


def carry_over(db: Session, session: AgentSession, *, now: datetime) -> None:
    """Give a new session what was asked of the agent before. Call it once, when the session is in the database."""
    before = _before(db, session)
    if before is None:
        return
    db.refresh(before)
    if before.cordoned_at is not None:
        session.cordoned_at, session.cordoned_by = before.cordoned_at, before.cordoned_by
        session.cordoned_reason = before.cordoned_reason
        _ask(db, session, Verb.CORDON, before.cordoned_by, before.cordoned_reason, now=now)
    elif (
        before.instance == session.instance
    ):  # it may have been cordoned, and resumed while it had no session
        _ask(db, session, Verb.RESUME, None, None, now=now)
    if before.draining_at is not None and before.ended_how != SessionEnd.GOODBYE.value:
        session.draining_at, session.draining_by = before.draining_at, before.draining_by
        session.draining_reason = before.draining_reason
        _ask(db, session, Verb.DRAIN, before.draining_by, before.draining_reason, now=now)
    db.execute(
        update(AgentCommand)
        .where(
            AgentCommand.session_id == before.id,
            AgentCommand.verb == Verb.SET_SLOTS.value,
            # not carried out: the end of a session closes what was open, at that moment
            or_(AgentCommand.carried_out_at.is_(None), AgentCommand.carried_out_at == before.ended_at),
        )
        .values(session_id=session.id, carried_out_at=None)
    )
    if session.cordoned_at is not None or session.draining_at is not None:
        audit.record(
            db,
            action="agent_still_cordoned" if session.draining_at is None else "agent_still_draining",
            actor=audit.PLANE,
            subject=f"agent:{session.name}",
            reason=session.cordoned_reason or session.draining_reason or "",
            now=now,
            detail={
                "agent_id": str(session.agent_id),
                "by": session.cordoned_by or session.draining_by or "",
            },
        )


def _before(db: Session, session: AgentSession) -> AgentSession | None:
    """The agent's session before this one. An agent whose state directory is gone is known by its name and token, if
    no agent of that name has gone since: replicas that share a name are not cordoned together."""
    mine = db.scalars(
        select(AgentSession)
        .where(
            AgentSession.id != session.id,
            or_(
                AgentSession.agent_id == session.agent_id,
                and_(
                    AgentSession.name == session.name,
                    AgentSession.token_id == session.token_id,
                    AgentSession.ended_at.is_not(None),
                ),
            ),
        )
        .order_by((AgentSession.agent_id == session.agent_id).desc(), AgentSession.opened_at.desc())
        .limit(1)
    ).first()
    return mine


def _ask(
    db: Session, session: AgentSession, verb: Verb, by: str | None, reason: str | None, *, now: datetime
) -> None:
    commands.ask(db, session.id, verb, asked_by=by or "", reason=reason or "", now=now)
