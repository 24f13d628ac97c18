"""Which agent gets which work: priority first, then age, spread over those with the most free slots."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from tradewind_protocol import sites
from tradewind_provider.domain.routes import Route


@dataclass(frozen=True)
class Candidate:
    """Work that waits."""

    attempt_id: UUID
    route: Route
    priority: int
    created_at: datetime
    avoid: UUID | None = None  # a session that handed it back a moment ago


@dataclass(frozen=True, slots=True)
class Serves:
    """What slots of one kind can run."""

    site: str
    queues: frozenset[str]
    bundles: frozenset[str]

    def takes(self, route: Route) -> bool:
        return (
            route.queue in self.queues
            and route.site == self.site
            and (route.bundle is None or route.bundle in self.bundles)
        )


@dataclass(frozen=True, slots=True)
class Seats:
    """Free slots of one task environment."""

    queues: frozenset[str]
    free: int
    bundles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """A session that waits for work, and how much one answer may carry."""

    session_id: UUID
    seats: tuple[Seats, ...] = ()
    most: int = 50
    site: str = sites.DEFAULT
    slots: Mapping[Serves, int] = field(init=False, repr=False, compare=False)
    """Free slots by what they can run. Counted once: a thousand places are looked at for each piece of news."""

    def __post_init__(self) -> None:
        slots: dict[Serves, int] = {}
        for seat in self.seats if self.most > 0 else ():
            if seat.free > 0 and seat.queues:
                kind = Serves(self.site, seat.queues, seat.bundles)
                slots[kind] = slots.get(kind, 0) + seat.free
        object.__setattr__(self, "slots", slots)

    def room(self, route: Route) -> int:
        """Free slots in which work of this route could run."""
        return sum(free for kind, free in self.slots.items() if kind.takes(route))

    def take(self, route: Route) -> Place:
        """What is left when a slot is used for `route`: of the environment that serves the fewest queues, so that the
        others stay free for what only they can run."""
        fitting = [
            seat
            for seat in self.seats
            if seat.free > 0 and Serves(self.site, seat.queues, seat.bundles).takes(route)
        ]
        taken = min(fitting, key=lambda seat: len(seat.queues), default=None)
        seats = tuple(replace(seat, free=seat.free - 1) if seat is taken else seat for seat in self.seats)
        return Place(self.session_id, seats, self.most - 1, self.site)


@dataclass(frozen=True)
class Batch:
    """Work of one queue that the same slots can run, and so is asked for together: at most `most` pieces of it."""

    site: str | None
    queue: str
    bundles: frozenset[str | None]
    most: int


def batches(waiting: Mapping[Route, int], places: Iterable[Place]) -> list[Batch]:
    """What there are free slots for. Work of different bundles shares a batch only when every free slot that can run
    the one can run the other, so that none keeps the other from being looked at."""
    slots: Counter[Serves] = Counter()
    for spot in places:
        for kind, free in spot.slots.items():
            slots[kind] += min(free, spot.most)
    alike: dict[tuple[str | None, str, frozenset[Serves]], dict[str | None, int]] = {}
    for route, count in waiting.items():
        if able := frozenset(kind for kind in slots if kind.takes(route)):
            alike.setdefault((route.site, route.queue, able), {})[route.bundle] = count
    return [
        Batch(site, queue, frozenset(counts), min(sum(counts.values()), sum(slots[kind] for kind in able)))
        for (site, queue, able), counts in alike.items()
    ]


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Highest priority first, then oldest."""
    return sorted(candidates, key=lambda one: (-one.priority, one.created_at))


def place(candidates: Iterable[Candidate], places: Sequence[Place]) -> dict[UUID, UUID]:
    """Attempt → session: the one with the most free slots for its route, the first of them where several have as many.
    What fits nowhere is left out."""
    left = list(places)
    placed: dict[UUID, UUID] = {}
    roomiest: dict[Route, list[tuple[int, int]]] = {}  # route → a heap of -room and the index in `left`
    for one in in_order(candidates):
        if (heap := roomiest.get(one.route)) is None:
            heap = [(-room, at) for at, spot in enumerate(left) if (room := spot.room(one.route))]
            heapq.heapify(heap)
            roomiest[one.route] = heap
        if (at := _roomiest(heap, left, one)) is not None:
            placed[one.attempt_id] = left[at].session_id
            left[at] = left[at].take(one.route)
    return placed


def _roomiest(heap: list[tuple[int, int]], left: Sequence[Place], one: Candidate) -> int | None:
    """The index of the place for it. Room only ever shrinks, so an entry is set right when it comes to the top."""
    passed_over = []
    found = None
    while heap and found is None:
        was, at = heap[0]
        room = left[at].room(one.route)
        if room == 0:
            heapq.heappop(heap)
        elif room != -was:
            heapq.heapreplace(heap, (-room, at))
        elif left[at].session_id == one.avoid:
            passed_over.append(heapq.heappop(heap))
        else:
            found = at
    for entry in passed_over:
        heapq.heappush(heap, entry)
    return found
