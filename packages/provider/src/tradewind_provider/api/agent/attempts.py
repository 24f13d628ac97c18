"""Start, finish and hand back: the verbs of one attempt."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Response

from tradewind_protocol.attempts import (
    Endings,
    EndingsTaken,
    Granted,
    HandBack,
    NotTaken,
    Outcome,
    Start,
)
from tradewind_provider.api import transactions
from tradewind_provider.api.plane import CurrentAgent, ThisPlane
from tradewind_provider.services import attempts

router = APIRouter(prefix="/attempts")


@router.post("/finish", summary="Report how several attempts ended")
async def finish_all(body: Endings, agent: CurrentAgent, plane: ThisPlane) -> EndingsTaken:
    """See `tradewind_provider.services.attempts.finish_all`."""
    now = plane.clock()
    refused = await transactions.run(lambda db: attempts.finish_all(db, body.endings, agent, now=now))
    return EndingsTaken(refused=tuple(NotTaken(attempt_id=one, refusal=no.refusal) for one, no in refused))


@router.post("/{attempt_id}/start", summary="Confirm an offer")
async def start(attempt_id: UUID, ask: Start, agent: CurrentAgent, plane: ThisPlane) -> Granted:
    """See `tradewind_provider.services.attempts.start`."""
    now = plane.clock()
    lasts = plane.settings.cadence.offer
    held = await transactions.run(
        lambda db: attempts.start(db, attempt_id, ask.epoch, agent, now=now, offer_lasts=lasts)
    )
    plane.authorizer.granted(agent, held)
    return Granted(attempt_id=held.attempt_id, epoch=held.epoch)


@router.post("/{attempt_id}/finish", status_code=204, summary="Report how an attempt ended")
async def finish(attempt_id: UUID, outcome: Outcome, agent: CurrentAgent, plane: ThisPlane) -> Response:
    """See `tradewind_provider.services.attempts.finish`."""
    now = plane.clock()
    await transactions.run(lambda db: attempts.finish(db, attempt_id, outcome, agent, now=now))
    return Response(status_code=204)


@router.post("/{attempt_id}/hand-back", status_code=204, summary="Return an offer that was not started")
async def hand_back(attempt_id: UUID, back: HandBack, agent: CurrentAgent, plane: ThisPlane) -> Response:
    """See `tradewind_provider.services.attempts.hand_back`."""
    now = plane.clock()
    await transactions.run(lambda db: attempts.hand_back(db, attempt_id, back, agent, now=now))
    return Response(status_code=204)
