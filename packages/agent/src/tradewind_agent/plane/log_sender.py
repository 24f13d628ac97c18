"""Getting the pieces of one log to the one API server that has its reader."""

from __future__ import annotations

import asyncio
from uuid import UUID

from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.plane.transport import Transport
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.logs import LogPiece

_TRIES = 64  # with a few API servers behind a load balancer the right one is met long before
_AGAIN = 3  # tries while the plane is out of reach; a reader does not wait longer


class LogSender:
    """Sends on the agent's usual connections; when another API server than the reader's answers there, on connections
    of its own, each new, until the right one is met. That one is then kept."""

    def __init__(self, plane: PlaneClient, stream_id: UUID) -> None:
        self._plane = plane
        self._stream_id = stream_id
        self._own: Transport | None = None

    async def send(self, piece: LogPiece) -> bool:
        """True when more is wanted. Raises Refused, and PlaneUnreachable after a few tries."""
        unreachable = 0
        for _ in range(_TRIES):
            try:
                return (await self._plane.send_log(self._stream_id, piece, transport=self._own)).wanted
            except PlaneUnreachable:
                unreachable += 1
                if unreachable >= _AGAIN:
                    raise
                await asyncio.sleep(unreachable)
            except Refused as refused:
                if refused.code is not Code.MISDIRECTED:
                    raise
                await self.close()
                self._own = self._plane.own_connection()
        raise Refused(
            Code.MISDIRECTED,
            f"the API server that has the reader was not met in {_TRIES} tries",
            remedy="Let the load balancer spread connections over all API servers",
        )

    async def close(self) -> None:
        """Idempotent."""
        if self._own is not None:
            await self._own.aclose()
            self._own = None
