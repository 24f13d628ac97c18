"""Agents as people see them: their newest session, how full they are, what is asked of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from tradewind_protocol import errors, operator, polling, sessions
from tradewind_protocol.states import AgentState, Component
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.domain.agents import state_of as domain_state_of
from tradewind_provider.services import agent_states, storages
from tradewind_provider.store.attempt_states import HELD, IS_CANARY
from tradewind_provider.store.tables import AgentCommand, AgentSession, AgentToken, Attempt


@dataclass(frozen=True)
class AgentLoad:
    """What an agent has to do."""

    held: Counter[str] = field(default_factory=Counter)  # queue → attempts offered or running
    pending_commands: int = 0


def newest(*, gone: bool) -> Any:
    """The newest session of each agent; a session that has not ended is always the newest."""
    if not gone:
        return select(AgentSession).where(AgentSession.ended_at.is_(None))
    later = aliased(AgentSession)
    return select(AgentSession).where(
        ~exists().where(later.agent_id == AgentSession.agent_id, later.opened_at > AgentSession.opened_at)
    )


def present(db: Session, *, now: datetime, beats: HeartbeatLimits) -> list[operator.AgentView]:
    """Every agent whose session has not ended, by name."""
    return views(db, newest(gone=False), now=now, beats=beats)


def find(db: Session, agent_id: UUID) -> AgentSession:
    """The newest session of an agent. Raises Refused NOT_FOUND."""
    found: AgentSession | None = db.scalars(
        select(AgentSession)
        .where(AgentSession.agent_id == agent_id)
        .order_by(AgentSession.opened_at.desc())
        .limit(1)
    ).first()
    if found is None:
        raise errors.Refused(errors.Code.NOT_FOUND, f"there is no agent {agent_id}")
    return found


def find_present(db: Session, agent_id: UUID) -> AgentSession:
    """The session of an agent that is not gone. Raises Refused NOT_FOUND, and CONFLICT when it is."""
    session = find(db, agent_id)
    if session.ended_at is not None:
        raise errors.Refused(
            errors.Code.CONFLICT,
            f"agent {session.name!r} is gone: {session.ended_reason or session.ended_how}",
        )
    return session


def view(db: Session, session: AgentSession, *, now: datetime, beats: HeartbeatLimits) -> operator.AgentView:
    """One agent for people, changes of this transaction included."""
    db.flush()
    (one,) = views(db, select(AgentSession).where(AgentSession.id == session.id), now=now, beats=beats)
    return one


def views(db: Session, wanted: Any, *, now: datetime, beats: HeartbeatLimits) -> list[operator.AgentView]:
    """The agents of these sessions, by name."""
    found: Sequence[AgentSession] = db.scalars(wanted.order_by(AgentSession.name, AgentSession.id)).all()
    loads = _loads(db, {session.id for session in found})
    names = _token_names(db, {session.token_id for session in found})
    return [
        view_of(one, loads[one.id], token=names.get(one.token_id, ""), now=now, beats=beats) for one in found
    ]


def _loads(db: Session, session_ids: Collection[UUID]) -> Mapping[UUID, AgentLoad]:
    # asked without naming the sessions: live work and waiting commands are few, and sessions may be thousands
    held: dict[UUID | None, Counter[str]] = defaultdict(Counter)
    for session_id, queue, count in db.execute(
        select(Attempt.session_id, Attempt.queue, func.count())
        .where(Attempt.state.in_(HELD), Attempt.session_id.is_not(None), ~IS_CANARY)
        .group_by(Attempt.session_id, Attempt.queue)
    ):
        if session_id in session_ids:
            held[session_id][queue] += count
    waiting = db.execute(
        select(AgentCommand.session_id, func.count())
        .where(AgentCommand.carried_out_at.is_(None))
        .group_by(AgentCommand.session_id)
    )
    pending = {row[0]: row[1] for row in waiting}
    return {one: AgentLoad(held=held[one], pending_commands=pending.get(one, 0)) for one in session_ids}


def _token_names(db: Session, token_ids: Collection[UUID]) -> dict[UUID, str]:
    rows = db.execute(select(AgentToken.id, AgentToken.name).where(AgentToken.id.in_(token_ids)))
    return {row[0]: row[1] for row in rows}


def view_of(
    session: AgentSession, load: AgentLoad, *, token: str, now: datetime, beats: HeartbeatLimits
) -> operator.AgentView:
    """One agent for people. `token` is the name of the agent token its session was opened with."""
    state, why = state_of(session, now, beats)
    environments = _environments(session, load)
    beat = session.last_beat_at
    return operator.AgentView(
        id=session.agent_id,
        name=session.name,
        site=session.site,
        state=state,
        state_reason=why,
        session_id=session.id,
        components=tuple(Component(one) for one in session.components),
        queues=tuple(dict.fromkeys(queue for one in environments for queue in one.queues)),
        slots=sum(one.slots for one in environments),
        slots_used=load.held.total(),
        environments=environments,
        trigger_capacity=session.trigger_capacity,
        bundles=tuple(bundles_of(session)),
        policy=sessions.Policy(session.policy),
        version=session.version,
        host=sessions.Host.model_validate(session.host or {}),
        opened_at=session.opened_at,
        last_beat_at=beat,
        beat_age=max((now - beat).total_seconds(), 0.0) if beat else None,
        ended_at=session.ended_at,
        findings=tuple(polling.Finding.model_validate(one) for one in session.findings or ()),
        token=token,
        address=session.address or "",
        endpoint=session.endpoint or "",
        way_since=session.way_since,
        pending_commands=load.pending_commands,
    )


def bundles_of(session: AgentSession) -> list[str]:
    """The Dag bundles an agent has: those its session was opened with, and those of its environments."""
    inside = {name for one in session.environments for name in one.get("bundles") or ()}
    return sorted({*session.bundles, *inside})


def _environments(session: AgentSession, load: AgentLoad) -> tuple[operator.EnvironmentView, ...]:
    """The task environments; work on a queue that several of them serve is counted where there is room for it."""
    left = Counter(load.held)
    found = []
    for row in session.environments:
        one = sessions.TaskEnvironment.model_validate(row)
        used = 0
        for queue in one.queues:
            taken = min(left[queue], max(one.slots - used, 0))
            left[queue] -= taken
            used += taken
        found.append(
            operator.EnvironmentView(
                name=one.name,
                queues=one.queues,
                slots=one.slots,
                used=used,
                python=one.python,
                airflow=one.airflow,
                problem=one.problem or (str(row["conflict"]) if storages.held(row) else ""),
                starting=one.starting,
                bundles=one.bundles,
            )
        )
    return tuple(found)


def state_of(session: AgentSession, now: datetime, beats: HeartbeatLimits) -> tuple[AgentState, str]:
    """How an agent is, and why, for a person."""
    record = agent_states.record_of(session)
    state = domain_state_of(record, now, beats)
    if record.ended is not None:
        return state, session.ended_reason or ""
    if state in (AgentState.LOST, AgentState.UNREACHABLE):
        silent = (now - (session.last_beat_at or session.opened_at)).total_seconds()
        return state, f"no poll for {silent:.0f} s"
    if state is AgentState.DRAINING:
        return state, _asked(session.draining_by, session.draining_reason)
    if state is AgentState.CORDONED:
        return state, _asked(session.cordoned_by, session.cordoned_reason)
    if state is AgentState.STARTING and session.last_beat_at is not None:
        return state, "its processes are starting"
    return state, "; ".join(agent_states.problems(session)) if state is AgentState.DEGRADED else ""


def _asked(by: str | None, reason: str | None) -> str:
    return f"by {by or 'an unknown person'}" + (f": {reason}" if reason else "")
