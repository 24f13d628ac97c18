"""What waits and runs in each queue of each site, counted once for everybody who asks within a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_protocol.states import AttemptState
from tradewind_provider.store.attempt_states import UNFINISHED
from tradewind_provider.store.base import UtcDateTime
from tradewind_provider.store.tables import Attempt

FRESH_SECONDS = 5.0


@dataclass(frozen=True)
class QueueCount:
    """One queue."""

    depth: int = 0
    running: int = 0
    oldest: datetime | None = None  # of what waits


ByQueue = dict[str, QueueCount]


def count(db: Session) -> dict[str, ByQueue]:
    """Site → every queue of it in which something waits or runs: one statement."""
    rows = db.execute(
        select(
            Attempt.site,
            Attempt.queue,
            Attempt.state,
            func.count(),
            func.min(Attempt.created_at, type_=UtcDateTime()),
        )
        .where(Attempt.state.in_(UNFINISHED), Attempt.site.is_not(None))
        .group_by(Attempt.site, Attempt.queue, Attempt.state)
    )
    found: dict[str, ByQueue] = {}
    for site, queue, state, number, oldest in rows:
        assert site is not None
        queues = found.setdefault(site, {})
        was = queues.get(queue, QueueCount())
        if state == AttemptState.QUEUED.value:
            queues[queue] = QueueCount(number, was.running, oldest)
        else:
            queues[queue] = QueueCount(was.depth, was.running + number, was.oldest)
    return found


class QueueCountCache:
    """The counts, at most `fresh` seconds old, however many ask and however often."""

    def __init__(
        self,
        look: Callable[[], Awaitable[dict[str, ByQueue]]],
        *,
        fresh: float = FRESH_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._fresh = fresh
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._at: float | None = None
        self._counts: dict[str, ByQueue] = {}

    async def get(self) -> tuple[dict[str, ByQueue], float]:
        """The counts and their age in seconds."""
        async with self._lock:
            moment = self._monotonic()
            if self._at is None or moment - self._at >= self._fresh:
                self._counts = await self._look()
                self._at = self._monotonic()
            return self._counts, self._monotonic() - self._at
