"""What waits and runs in each queue of each site. The count is shared by all requests of a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_protocol import states
from tradewind_protocol.states import AttemptState
from tradewind_provider.domain.routes import Route
from tradewind_provider.store.base import UtcDateTime
from tradewind_provider.store.tables import Attempt

FRESH_SECONDS = 5.0


@dataclass(frozen=True)
class RouteCount:
    """Attempts of one route in one state."""

    route: Route
    state: AttemptState
    count: int
    oldest: datetime


def by_route(db: Session, states: Collection[AttemptState]) -> Iterator[RouteCount]:
    """How many attempts of each route are in each of these states: one statement."""
    place = (Attempt.queue, Attempt.site, Attempt.bundle, Attempt.state)
    rows = db.execute(
        select(*place, func.count(), func.min(Attempt.created_at, type_=UtcDateTime()))
        .where(Attempt.state.in_([one.value for one in states]))
        .group_by(*place)
    )
    for queue, site, bundle, state, count, oldest in rows:
        yield RouteCount(Route(queue, site, bundle), AttemptState(state), count, oldest)


@dataclass(frozen=True)
class QueueCount:
    """One queue."""

    depth: int = 0
    running: int = 0
    oldest: datetime | None = None  # of what waits


ByQueue = dict[str, QueueCount]


def count(db: Session) -> dict[str, ByQueue]:
    """Site → every queue of it in which something waits or runs."""
    found: dict[str, ByQueue] = {}
    for one in by_route(db, states.UNFINISHED):
        if one.route.site is None:
            continue
        queues = found.setdefault(one.route.site, {})
        was = queues.get(one.route.queue, QueueCount())
        if one.state is AttemptState.QUEUED:
            oldest = min(was.oldest or one.oldest, one.oldest)
            queues[one.route.queue] = QueueCount(was.depth + one.count, was.running, oldest)
        else:
            queues[one.route.queue] = QueueCount(was.depth, was.running + one.count, was.oldest)
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
