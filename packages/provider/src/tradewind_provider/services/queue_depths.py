"""What waits and runs in each queue of each site. The count is shared by all requests of a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from tradewind_protocol import states
from tradewind_protocol.states import AttemptState
from tradewind_provider.domain.routes import Route
from tradewind_provider.store.attempt_states import HELD, IS_CANARY
from tradewind_provider.store.base import UtcDateTime
from tradewind_provider.store.tables import AgentSession, Attempt

FRESH_SECONDS = 5.0


@dataclass(frozen=True)
class RouteCount:
    """Attempts of one route in one state."""

    route: Route
    state: AttemptState
    count: int
    oldest: datetime


def by_route(db: Session, states: Collection[AttemptState]) -> Iterator[RouteCount]:
    """How many attempts of each route are in each of these states, canaries among them: one statement."""
    canary = case((IS_CANARY, 1), else_=0)
    place = (Attempt.queue, Attempt.site, Attempt.bundle, Attempt.state, canary)
    rows = db.execute(
        select(*place, func.count(), func.min(Attempt.created_at, type_=UtcDateTime()))
        .where(Attempt.state.in_([one.value for one in states]))
        .group_by(*place)
    )
    for queue, site, bundle, state, canary, count, oldest in rows:
        yield RouteCount(Route(queue, site, bundle, canary=bool(canary)), AttemptState(state), count, oldest)


@dataclass(frozen=True)
class QueueCount:
    """One queue."""

    depth: int = 0
    running: int = 0
    oldest: datetime | None = None  # of what waits
    by_group: Mapping[str, int] = field(default_factory=dict)  # of what runs, what agents of a group have


ByQueue = dict[str, QueueCount]


def count(db: Session) -> dict[str, ByQueue]:
    """Site → every queue of it in which something waits or runs."""
    found: dict[str, ByQueue] = {}
    for one in by_route(db, states.UNFINISHED):
        if one.route.site is None or one.route.canary:
            continue
        queues = found.setdefault(one.route.site, {})
        was = queues.get(one.route.queue, QueueCount())
        if one.state is AttemptState.QUEUED:
            oldest = min(was.oldest or one.oldest, one.oldest)
            queues[one.route.queue] = replace(was, depth=was.depth + one.count, oldest=oldest)
        else:
            queues[one.route.queue] = replace(was, running=was.running + one.count)
    for site, queue, group, number in db.execute(_HELD_BY_GROUP):
        queues = found.get(site or "", {})
        if (counted := queues.get(queue)) is not None:
            queues[queue] = replace(counted, by_group={**counted.by_group, group: number})
    return found


_HELD_BY_GROUP = (
    select(Attempt.site, Attempt.queue, AgentSession.worker_group, func.count())
    .join(AgentSession, AgentSession.id == Attempt.session_id)
    .where(Attempt.state.in_(HELD), AgentSession.worker_group != "", ~IS_CANARY)
    .group_by(Attempt.site, Attempt.queue, AgentSession.worker_group)
)


@dataclass(frozen=True)
class BacklogCount:
    """Several queues as one."""

    depth: int
    running: int
    mine: int
    oldest: datetime | None


def backlog(queues: ByQueue, names: Iterable[str], group: str = "") -> BacklogCount:
    """The sum of these queues, each counted once. `group`: whose agents' work is `mine`; without one, all is."""
    counts = [queues.get(name, QueueCount()) for name in dict.fromkeys(names)]
    running = sum(one.running for one in counts)
    return BacklogCount(
        depth=sum(one.depth for one in counts),
        running=running,
        mine=sum(one.by_group.get(group, 0) for one in counts) if group else running,
        oldest=min((one.oldest for one in counts if one.oldest is not None), default=None),
    )


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
