"""Requests to Airflow a few at a time, so that they stay within the database connections that are kept open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

PATIENCE: Final = 0.05
"""Seconds a request waits for its turn, some ten times what one takes. After that it goes all the same: those before it
wait for something else, a lock in the database perhaps, and must not hold up every other request."""


class ConcurrencyLimiter:
    """`async with turns.one():` around a request. Airflow closes every connection beyond the ones its pool keeps, so
    requests at once beyond `at_once()` cost a connection each: several times the request itself. None: no limit."""

    def __init__(self, *, at_once: Callable[[], int | None], patience: float = PATIENCE) -> None:
        self._at_once = at_once
        self._patience = patience
        self._turns: asyncio.Semaphore | None = None
        self._known = False

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn, but not for long."""
        if not self._known:
            most = self._at_once()
            self._turns, self._known = None if most is None else asyncio.Semaphore(most), True
        turns = self._turns
        if turns is None or not await self._taken(turns):
            yield
            return
        try:
            yield
        finally:
            turns.release()

    async def _taken(self, turns: asyncio.Semaphore) -> bool:
        if not turns.locked():
            return await turns.acquire()
        try:
            return await asyncio.wait_for(turns.acquire(), self._patience)
        except asyncio.TimeoutError:
            return False
