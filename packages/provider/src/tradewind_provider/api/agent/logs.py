"""Pieces of a log an agent was asked for: `POST /logs/{stream id}`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from tradewind_protocol.errors import Code, Refusal, Refused
from tradewind_protocol.logs import LogPiece, LogTaken
from tradewind_provider.api.plane import CurrentAgent, ThisPlane
from tradewind_provider.notifications import peers
from tradewind_provider.services.log_relay import LogRelay

router = APIRouter(tags=["logs"])


@router.post("/logs/{stream_id}", summary="Send a piece of a log that a user reads")
async def piece(stream_id: UUID, body: LogPiece, agent: CurrentAgent, plane: ThisPlane) -> LogTaken:
    """Answered once the reader has room for it. `wanted` is false when the reader has left.

    The reader waits in one API server. Another one passes the piece on when both are on one machine; else it answers
    `misdirected`, and the agent tries again on a new connection: nothing is put down on the way.
    """
    if body.server == plane.relay.server:
        return LogTaken(wanted=await _put(plane.relay, stream_id, agent.session_id, body))
    message = {
        "stream_id": str(stream_id),
        "session_id": str(agent.session_id),
        "piece": body.model_dump(mode="json"),
    }
    answer = await peers.ask(body.server, message)
    if answer is None:
        raise Refused(
            Code.MISDIRECTED,
            "another API server has the reader of this log",
            remedy="send it again on a new connection",
        )
    if "refusal" in answer:
        refusal = Refusal.model_validate(answer["refusal"])
        raise Refused(refusal.error, refusal.message, remedy=refusal.remedy)
    return LogTaken(wanted=bool(answer.get("wanted")))


async def from_peer(relay: LogRelay, message: dict[str, Any]) -> dict[str, Any]:
    """What another API server of this machine passes on; it has authenticated the agent."""
    try:
        body = LogPiece.model_validate(message["piece"])
        return {"wanted": await _put(relay, UUID(message["stream_id"]), UUID(message["session_id"]), body)}
    except Refused as refused:
        return {"refusal": refused.refusal.model_dump(mode="json")}


async def _put(relay: LogRelay, stream_id: UUID, session_id: UUID, body: LogPiece) -> bool:
    stream = relay.find(stream_id, session_id)
    return False if stream is None else await stream.put(body)
