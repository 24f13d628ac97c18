"""A way to a plane on which answers get lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx


class LosingAnswers(httpx.AsyncBaseTransport):
    """Lets requests reach the plane and then loses the answer, as a network does at the worst moment."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._lose: list[str] = []
        self.lost: list[str] = []
        self.down = False  # refuse every connection
        self.hold_up: Callable[[httpx.Request], float] = lambda _: 0.0  # seconds on the way there

    def of(self, verb: str, *, times: int = 1) -> None:
        """Lose the next answers of requests whose path ends with `verb`."""
        self._lose += [verb] * times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("connection refused", request=request)
        if (seconds := self.hold_up(request)) > 0:
            await asyncio.sleep(seconds)
        response = await self._inner.handle_async_request(request)
        if self.down:
            raise httpx.ReadError("connection reset", request=request)
        for verb in self._lose:
            if request.url.path.endswith(verb):
                self._lose.remove(verb)
                self.lost.append(verb)
                raise httpx.ReadError("connection reset by peer", request=request)
        return response
