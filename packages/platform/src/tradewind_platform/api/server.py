"""The platform's HTTP server."""

from __future__ import annotations

import asyncio
from types import FrameType
from typing import Final

import anyio
import uvicorn

from tradewind_platform.api.access_watch import AccessWatch

_TICK: Final = 1.0  # seconds; the header with the date is made anew


class Server(uvicorn.Server):
    """Answers the polls that it holds when a signal tells it to end: they would keep it for as long as they may wait.

    It wakes once a second, and not ten times as uvicorn does: on a virtual machine that has nothing else to do each time costs
    a millisecond of the processor.
    """

    def __init__(self, watch: AccessWatch, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._watch = watch
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signalled = asyncio.Event()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._watch.close()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._signalled.set)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):
            with anyio.move_on_after(_TICK):
                await self._signalled.wait()
