"""Whether the plane answers, as everybody in the agent sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Reachability:
    """Set by every request, read by everybody. Times are the event loop's, in seconds.

    One failed request is enough to doubt: `on_doubt` then asks the poll loop to find out at once, so a connection that
    a middlebox cut does not look like an outage for longer than one round trip.
    """

    def __init__(self) -> None:
        self.on_doubt: Callable[[], None] | None = None
        self.last_success: float | None = None  # loop time
        self.problem: str = ""  # why not, in words; empty while reachable
        self._up = asyncio.Event()
        self._since: float | None = None  # loop time of the first failure after the last success

    @property
    def reachable(self) -> bool:
        return self._up.is_set()

    def unreachable_for(self) -> float:
        """Seconds since the last success (or the first failure, when there was none); 0.0 while reachable."""
        if self.reachable:
            return 0.0
        since = self.last_success if self.last_success is not None else self._since
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    def succeeded(self) -> None:
        self.last_success = asyncio.get_running_loop().time()
        self.problem, self._since = "", None
        self._up.set()

    def failed(self, problem: str) -> None:
        if self._since is None:
            self._since = asyncio.get_running_loop().time()
        self.problem = problem
        was_up = self._up.is_set()
        self._up.clear()
        if was_up and self.on_doubt is not None:
            self.on_doubt()

    async def wait(self) -> None:
        """Return once the plane answers; at once while it does."""
        await self._up.wait()
