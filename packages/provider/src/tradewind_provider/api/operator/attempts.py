"""Attempts to run work."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from tradewind_protocol import operator, states
from tradewind_provider.api import transactions
from tradewind_provider.api.operator.access import AgentOperator, Expected, Filter, Now, Part, Reader
from tradewind_provider.services.operator import attempts

router = APIRouter(prefix="/attempts", tags=["Attempts"])


@router.get("", summary="List attempts")
def list_(
    caller: Reader,
    now: Now,
    part: Part,
    beats: Expected,
    state: Annotated[list[states.AttemptState] | None, Query(description="Only in these states.")] = None,
    site: Filter = None,
    queue: Filter = None,
    agent_id: UUID | None = None,
    dag_id: Filter = None,
    run_id: Filter = None,
) -> operator.Page[operator.AttemptView]:
    """The newest first; only of Dags the caller may read."""
    filters = attempts.AttemptFilters(
        states=tuple(state or ()),
        site=site,
        queue=queue,
        agent_id=agent_id,
        dag_id=dag_id,
        run_id=run_id,
        readable=caller.readable_dags,
    )
    return transactions.in_transaction(lambda db: attempts.page(db, filters, part, now=now, beats=beats))


@router.post("/{attempt_id}/stop", status_code=202, summary="Stop an attempt")
def stop(attempt_id: UUID, ask: operator.Reason, caller: AgentOperator, now: Now) -> operator.AttemptView:
    """The plane asks the agent to stop it, and Airflow's retries decide what follows. Idempotent."""
    return transactions.in_transaction(
        lambda db: attempts.stop(db, attempt_id, actor=caller.name, reason=ask.reason, now=now)
    )
