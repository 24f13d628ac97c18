"""What becomes of the runs a site has stored values of: `POST /stored-runs`."""

from __future__ import annotations

from fastapi import APIRouter

from tradewind_protocol.stored_runs import PATH, AskRuns, RunFates
from tradewind_provider.api import transactions
from tradewind_provider.api.plane import CurrentAgent
from tradewind_provider.services import stored_runs

router = APIRouter(tags=["storage"])


@router.post(PATH, summary="Ask which runs still need what is stored of them")
async def fates(ask: AskRuns, agent: CurrentAgent) -> RunFates:
    """See `tradewind_provider.services.stored_runs.fates`. Changes nothing."""
    return RunFates(runs=await transactions.run(lambda db: stored_runs.fates(db, agent, ask)))
