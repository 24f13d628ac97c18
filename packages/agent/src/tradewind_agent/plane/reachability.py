"""Whether the plane answers, as every part of the agent sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Reachability:
    """Set by every request, read by every part of the agent. Times are the event loop's, in seconds.

    One failed request is enough to doubt: `on_doubt` then asks the poll loop to find out at once, so a connection that
    a middlebox cut does not look like an outage for longer than one round trip.
    """

    def __init__(self) -> None:
        self.on_doubt: Callable[[], None] | None = None
        self.last_success: float | None = None  # loop time
        self.problem: str = ""  # why not, in words; empty while reachable
        self._up = asyncio.Event()

    @property
    def reachable(self) -> bool:
        return self._up.is_set()

    def succeeded(self) -> None:
        self.last_success = asyncio.get_running_loop().time()
        self.problem = ""
        self._up.set()

    def failed(self, problem: str) -> None:
        self.problem = problem
        was_up = self._up.is_set()
        self._up.clear()
        if was_up and self.on_doubt is not None:
            self.on_doubt()

    async def wait(self) -> None:
        """Return once the plane answers; at once while it does."""
        await self._up.wait()
