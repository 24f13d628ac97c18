"""Stopping gently, and stopping at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from tradewind_agent.kits import aiotasks
from tradewind_agent.state.outbox import Outbox
from tradewind_agent.work.running import Running

log = structlog.get_logger(__name__)

ANNOUNCE_LIMIT = 5.0  # seconds for the plane to be told that nothing more is taken
STOP_LIMIT = 30.0  # seconds for stopped attempts to be gone
DELIVERY_LIMIT = 15.0
"""Seconds for the outcomes to reach a plane that answers; what is left goes with the next start."""


class Draining:
    """The state machine of the end: take nothing → let what runs end → stop it → deliver the outcomes.

    `request` and `now` may be called any number of times and in any order, and return at once.
    """

    def __init__(
        self,
        *,
        running: Running,
        outbox: Outbox,
        reachable: Callable[[], bool],
        grace: float,
        on_change: Callable[[], None],
    ) -> None:
        self.reason = ""
        self.announced = asyncio.Event()  # set by the poll loop when the plane has been told of the drain
        self._running = running
        self._outbox = outbox
        self._reachable = reachable
        self._grace = grace
        self._on_change = on_change
        self._requested = asyncio.Event()
        self._urgent = asyncio.Event()

    @property
    def requested(self) -> bool:
        return self._requested.is_set()

    def request(self, reason: str) -> None:
        """Take nothing more and finish what runs, within the grace."""
        if not self._requested.is_set():
            log.info("The agent drains", action="drain_requested", reason=reason, grace=self._grace)
            self.reason = reason
            self._requested.set()
            self._running.drain(reason)
            self._on_change()

    def now(self, reason: str) -> None:
        """Stop what runs as well."""
        self.request(reason)
        if not self._urgent.is_set():
            log.warning("The agent stops at once", action="stop_requested", reason=reason)
            self._urgent.set()

    async def run(self) -> None:
        """Return when everything has ended and the plane knows how, as far as it can be reached."""
        await self._requested.wait()
        # The plane is told first and polls are cancelled later: an offer in an answer that is on its way must not be lost.
        await aiotasks.any_of([self.announced.wait(), self._urgent.wait()], timeout=ANNOUNCE_LIMIT)
        if not await self._settled_or_urgent():
            self._running.stop_all(f"the agent was stopped ({self.reason})")
            await aiotasks.any_of([self._running.settled()], timeout=STOP_LIMIT)
        if self._reachable():
            await aiotasks.any_of([self._outbox.wait_empty()], timeout=DELIVERY_LIMIT)
        log.info("The agent is drained", action="drained", undelivered=len(self._outbox))

    async def _settled_or_urgent(self) -> bool:
        await aiotasks.any_of([self._running.settled(), self._urgent.wait()], timeout=self._grace)
        return not self._running.live
