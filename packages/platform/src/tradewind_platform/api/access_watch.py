"""Lets requests wait until the access of an organization has another revision."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import anyio
import anyio.to_thread

from tradewind_platform.services import access
from tradewind_platform.store.sessions import Store

_LOOK_EVERY: Final = 1.0
_LONG: Final = 10.0  # seconds


def end_of(now: float, seconds: float) -> float:
    """When a wait of so many seconds ends. Long ones end up to a second early, together with others: a processor that is woken up
    for one of them has to fetch all that it needs, and has it at hand for the next ones."""
    return float(math.floor(now + seconds)) if seconds >= _LONG else now + seconds


class AccessWatch:
    """A change of this process is seen at once, one of another process within a second. While no request waits, the database is not read."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.RLock()  # of the loops; a signal may come while it is held
        self._loops: dict[asyncio.AbstractEventLoop, _Looker] = {}
        self._closed = False
        store.on_access_change(self._changed)

    async def wait(self, organization: UUID, since: int, *, seconds: float) -> int | None:
        """Wait until the revision is not `since`, and return it. None when the time was up first, as `end_of` says."""
        with self._looking() as looker:
            with anyio.CancelScope(deadline=end_of(anyio.current_time(), seconds)):
                while not self._closed:
                    revision = looker.revisions.get(organization, 0)
                    if looker.has_looked and revision != since:
                        return revision
                    await looker.next_look()
        return None

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        with self._lock:
            return sum(looker.waiting for looker in self._loops.values())

    def close(self) -> None:
        """Answer every request that waits: the process is about to end. Safe in a signal handler's thread."""
        self._closed = True
        with self._lock:
            for loop, looker in self._loops.items():
                loop.call_soon_threadsafe(looker.tell)

    def _changed(self, _: UUID) -> None:
        with self._lock:
            for loop, looker in self._loops.items():
                loop.call_soon_threadsafe(looker.look_now.set)

    @contextmanager
    def _looking(self) -> Iterator[_Looker]:
        loop = asyncio.get_running_loop()
        with self._lock:
            looker = self._loops.get(loop)
            if looker is None:
                looker = self._loops[loop] = _Looker(self._store)
                looker.task = loop.create_task(looker.run(), name="access revisions")
            looker.waiting += 1
        try:
            yield looker
        finally:
            with self._lock:
                looker.waiting -= 1
                if looker.waiting == 0:
                    del self._loops[loop]
                    looker.task.cancel()


class _Looker:
    """Reads the revisions once for all requests that wait in an event loop."""

    def __init__(self, store: Store) -> None:
        self.revisions: dict[UUID, int] = {}
        self.has_looked = False
        self.look_now = asyncio.Event()
        self.waiting = 0
        self.task: asyncio.Task[None]
        self._store = store
        self._looked = asyncio.Event()

    async def run(self) -> None:
        while True:
            self.look_now.clear()
            revisions = await anyio.to_thread.run_sync(access.revisions, self._store)
            if revisions != self.revisions or not self.has_looked:
                self.revisions, self.has_looked = revisions, True
                self.tell()
            with anyio.move_on_after(_LOOK_EVERY):
                await self.look_now.wait()

    def tell(self) -> None:
        """Let every request that waits look again."""
        self._looked.set()
        self._looked = asyncio.Event()

    async def next_look(self) -> None:
        """Until the revisions have changed."""
        await self._looked.wait()
