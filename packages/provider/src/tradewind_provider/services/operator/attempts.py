"""Attempts as people see them, and stopping one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from tradewind_protocol import errors, operator, polling
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.states import AttemptState, OutcomeKind, ProcessEnd, process_end
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import audit, commands
from tradewind_provider.services.assignment import route_of
from tradewind_provider.services.operator import agent_views, eligibility
from tradewind_provider.services.operator.pages import PageRequest, counted
from tradewind_provider.store.attempt_states import IS_CANARY, NOT_STARTED
from tradewind_provider.store.tables import AgentCommand, AgentSession, Attempt


@dataclass(frozen=True, kw_only=True)
class AttemptFilters:
    """Which attempts are asked for; None asks for all."""

    states: Sequence[AttemptState] = ()
    site: str | None = None
    queue: str | None = None
    agent_id: UUID | None = None
    session_id: UUID | None = None
    dag_id: str | None = None
    run_id: str | None = None
    readable: Collection[str] | None = None  # the Dags the caller may read; None: all


def page(
    db: Session, filters: AttemptFilters, paging: PageRequest, *, now: datetime, beats: HeartbeatLimits
) -> operator.Page[operator.AttemptView]:
    """Attempts, the newest first."""
    statement = _matching(filters)
    rows = db.execute(
        statement.order_by(Attempt.created_at.desc(), Attempt.id).limit(paging.limit).offset(paging.offset)
    ).all()
    waiting = {route_of(one) for one, _ in rows if one.state == AttemptState.QUEUED.value}
    present = agent_views.present(db, now=now, beats=beats) if waiting else ()
    why = {route: eligibility.waits_for(route, present) for route in waiting}
    return operator.Page[operator.AttemptView](
        items=tuple(
            view(
                attempt,
                session,
                now=now,
                waits_for=why[route_of(attempt)] if attempt.state == AttemptState.QUEUED.value else "",
            )
            for attempt, session in rows
        ),
        total=counted(db, statement),
        limit=paging.limit,
        offset=paging.offset,
    )


def stop(db: Session, attempt_id: UUID, *, actor: str, reason: str, now: datetime) -> operator.AttemptView:
    """Ask the agent that runs an attempt to stop it. Idempotent while it runs: one command, however often asked.

    Raises Refused NOT_FOUND, and CONFLICT when it does not run.
    """
    found = db.execute(
        select(Attempt, AgentSession)
        .outerjoin(AgentSession, AgentSession.id == Attempt.session_id)
        .where(Attempt.id == attempt_id)
    ).one_or_none()
    if found is None:
        raise errors.Refused(errors.Code.NOT_FOUND, f"there is no attempt {attempt_id}")
    attempt, session = found
    if attempt.state != AttemptState.RUNNING.value or session is None:
        raise errors.Refused(
            errors.Code.CONFLICT,
            f"attempt {attempt.label or attempt_id} is {attempt.state} and does not run on any agent",
            remedy="Work that waits is stopped in Airflow: mark or clear its task instance."
            if attempt.state in NOT_STARTED
            else "",
        )
    arguments = {"attempt_id": str(attempt.id), "epoch": attempt.epoch}
    if not _asked_already(db, session.id, arguments):
        commands.ask(
            db,
            session.id,
            polling.Verb.STOP_ATTEMPT,
            arguments=arguments,
            reason=reason,
            asked_by=actor,
            now=now,
        )
        audit.record(
            db,
            action="attempt_stop_asked",
            actor=actor,
            subject=f"attempt:{attempt.id}",
            reason=reason,
            now=now,
            detail={"work": attempt.label, "agent": session.name, "epoch": attempt.epoch},
        )
    return view(attempt, session, now=now)


def view(
    attempt: Attempt, session: AgentSession | None, *, now: datetime, waits_for: str = ""
) -> operator.AttemptView:
    """One attempt for people. `session` is of the agent that holds it or held it last."""
    waited = (attempt.granted_at or attempt.ended_at or now) - attempt.created_at
    return operator.AttemptView(
        id=attempt.id,
        kind=WorkKind(attempt.kind),
        label=attempt.label,
        dag_id=attempt.dag_id,
        run_id=attempt.run_id,
        task_id=attempt.task_id,
        map_index=attempt.map_index,
        try_number=attempt.try_number if attempt.task_id else None,
        site=attempt.site,
        bundle=attempt.bundle,
        queue=attempt.queue,
        priority=attempt.priority,
        state=AttemptState(attempt.state),
        epoch=attempt.epoch,
        agent_id=session.agent_id if session else None,
        agent_name=session.name if session else "",
        created_at=attempt.created_at,
        granted_at=attempt.granted_at,
        finished_at=attempt.ended_at,
        waited=max(waited.total_seconds(), 0.0),
        outcome=OutcomeKind(attempt.outcome) if attempt.outcome else None,
        process=_process(attempt),
        exit_code=attempt.exit_code,
        signal=attempt.signal,
        task_state=attempt.task_state,
        reason=attempt.reason,
        waits_for=waits_for,
    )


def _process(attempt: Attempt) -> ProcessEnd | None:
    if not attempt.outcome:
        return None
    return process_end(OutcomeKind(attempt.outcome), exit_code=attempt.exit_code, signal=attempt.signal)


def _matching(filters: AttemptFilters) -> Select[Attempt, AgentSession]:
    conditions: list[Any] = [~IS_CANARY]
    if filters.states:
        conditions.append(Attempt.state.in_([state.value for state in filters.states]))
    if filters.readable is not None:
        conditions.append(or_(Attempt.dag_id.is_(None), Attempt.dag_id.in_(filters.readable)))
    for column, value in (
        (Attempt.site, filters.site),
        (Attempt.queue, filters.queue),
        (Attempt.session_id, filters.session_id),
        (AgentSession.agent_id, filters.agent_id),
        (Attempt.dag_id, filters.dag_id),
        (Attempt.run_id, filters.run_id),
    ):
        if value is not None:
            conditions.append(column == value)
    return (
        select(Attempt, AgentSession)
        .outerjoin(AgentSession, AgentSession.id == Attempt.session_id)
        .where(*conditions)
    )


def _asked_already(db: Session, session_id: UUID, arguments: dict[str, Any]) -> bool:
    pending = db.scalars(
        select(AgentCommand.arguments).where(
            AgentCommand.session_id == session_id,
            AgentCommand.verb == polling.Verb.STOP_ATTEMPT.value,
            AgentCommand.carried_out_at.is_(None),
        )
    )
    return arguments in list(pending)
