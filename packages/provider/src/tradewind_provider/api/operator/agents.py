"""Agents."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from tradewind_protocol import operator, states
from tradewind_provider.api import transactions
from tradewind_provider.api.operator.access import AgentOperator, Expected, Filter, Now, Part, Reader, Why
from tradewind_provider.services.operator import agents

router = APIRouter(prefix="/agents", tags=["Agents"])


@router.get("", summary="List agents")
def list_(
    caller: Reader,
    now: Now,
    beats: Expected,
    part: Part,
    gone: Annotated[bool, Query(description="Lost and offline agents, too.")] = False,
    state: Annotated[states.AgentState | None, Query(description="Only in this state.")] = None,
    name: Annotated[Filter, Query(description="Only agents of this name, in any state.")] = None,
) -> operator.Page[operator.AgentView]:
    """The newest session of every agent, by name."""
    return transactions.in_transaction(
        lambda db: agents.page(db, part, gone=gone, state=state, name=name, now=now, beats=beats)
    )


@router.get("/{agent_id}", summary="Look at an agent")
def get(agent_id: UUID, caller: Reader, now: Now, beats: Expected) -> operator.AgentView:
    """With the attempts that run on it, as far as the caller may read their Dags."""
    return transactions.in_transaction(
        lambda db: agents.get(db, agent_id, readable=caller.readable_dags, now=now, beats=beats)
    )


@router.post("/{agent_id}/cordon", summary="Give an agent no new work")
def cordon(
    agent_id: UUID, ask: operator.Reason, caller: AgentOperator, now: Now, beats: Expected
) -> operator.AgentView:
    """Running work continues. The cordon lasts until the agent is resumed, whatever restarts in between. Idempotent; a new reason replaces the old one."""

    def work(db: Session) -> operator.AgentView:
        agents.cordon(db, agent_id, actor=caller.name, reason=ask.reason, now=now)
        return agents.get(db, agent_id, readable=caller.readable_dags, now=now, beats=beats)

    return transactions.in_transaction(work)


@router.post("/{agent_id}/drain", summary="Let an agent finish and leave")
def drain(
    agent_id: UUID, ask: operator.Reason, caller: AgentOperator, now: Now, beats: Expected
) -> operator.AgentView:
    """It takes nothing new, finishes what runs within its grace, and ends. Idempotent."""

    def work(db: Session) -> operator.AgentView:
        agents.drain(db, agent_id, actor=caller.name, reason=ask.reason, now=now)
        return agents.get(db, agent_id, readable=caller.readable_dags, now=now, beats=beats)

    return transactions.in_transaction(work)


@router.post("/{agent_id}/resume", summary="Undo a cordon")
def resume(
    agent_id: UUID, ask: operator.Reason, caller: AgentOperator, now: Now, beats: Expected
) -> operator.AgentView:
    """Idempotent. A draining agent cannot be resumed: it ends. For an agent that has ended, the cordon that it would come back with is
    undone."""

    def work(db: Session) -> operator.AgentView:
        agents.resume(db, agent_id, actor=caller.name, reason=ask.reason, now=now)
        return agents.get(db, agent_id, readable=caller.readable_dags, now=now, beats=beats)

    return transactions.in_transaction(work)


@router.post("/{agent_id}/slots", summary="Change the slots of a task environment")
def set_slots(
    agent_id: UUID, ask: operator.SetSlots, caller: AgentOperator, now: Now, beats: Expected
) -> operator.AgentView:
    """Lasts until the agent restarts. Fewer slots than what runs: nothing is stopped, nothing new is taken."""

    def work(db: Session) -> operator.AgentView:
        agents.set_slots(db, agent_id, ask, actor=caller.name, now=now)
        return agents.get(db, agent_id, readable=caller.readable_dags, now=now, beats=beats)

    return transactions.in_transaction(work)


@router.delete("/{agent_id}", status_code=204, summary="Forget an agent that is gone")
def remove(agent_id: UUID, caller: AgentOperator, now: Now, reason: Why = "") -> None:
    """Only a lost or offline agent can be removed. It is listed again when it connects."""
    transactions.in_transaction(
        lambda db: agents.remove(db, agent_id, actor=caller.name, reason=reason, now=now)
    )
