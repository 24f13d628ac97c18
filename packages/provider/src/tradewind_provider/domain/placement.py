"""Who gets which work: priority first, then age, spread over those with the most room."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class Candidate:
    """Work that waits."""

    attempt_id: UUID
    queue: str
    priority: int
    created_at: datetime
    avoid: UUID | None = None  # a session that handed it back a moment ago


@dataclass(frozen=True, slots=True)
class Seats:
    """Free slots of one task environment."""

    queues: frozenset[str]
    free: int


@dataclass(frozen=True, slots=True)
class Place:
    """A session that waits for work, and how much one answer may carry.

    A thousand of them are looked at for each piece of news, so what is asked of them is counted once.
    """

    session_id: UUID
    seats: tuple[Seats, ...] = ()
    most: int = 50
    room: Mapping[str, int] = field(init=False, repr=False, compare=False)
    """Queue → free slots in which it could run. A queue without any is left out."""

    def __post_init__(self) -> None:
        room: dict[str, int] = {}
        for seat in self.seats if self.most > 0 else ():
            for queue in seat.queues if seat.free > 0 else ():
                room[queue] = room.get(queue, 0) + seat.free
        object.__setattr__(self, "room", room)

    def take(self, queue: str) -> Place:
        """What is left when a slot is used for `queue`: of the environment that serves the fewest queues, so that the
        others stay free for what only they can run."""
        fitting = [seat for seat in self.seats if queue in seat.queues and seat.free > 0]
        taken = min(fitting, key=lambda seat: len(seat.queues), default=None)
        seats = tuple(replace(seat, free=seat.free - 1) if seat is taken else seat for seat in self.seats)
        return Place(self.session_id, seats, self.most - 1)


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Highest priority first, then oldest."""
    return sorted(candidates, key=lambda one: (-one.priority, one.created_at))


def room(queue: str, places: Iterable[Place], *, enough: int) -> int:
    """How much of a queue could be placed if there were nothing else; no more than `enough`."""
    found = 0
    for spot in places:
        found += min(spot.room.get(queue, 0), spot.most)
        if found >= enough:
            return enough
    return found


def place(candidates: Iterable[Candidate], places: Sequence[Place]) -> dict[UUID, UUID]:
    """Attempt → session: the one with the most room for its queue, the first of them where several have as much. What
    fits nowhere is left out."""
    left = list(places)
    placed: dict[UUID, UUID] = {}
    roomiest: dict[str, list[tuple[int, int]]] = {}  # queue → a heap of -room and the index in `left`
    for one in in_order(candidates):
        if (heap := roomiest.get(one.queue)) is None:
            heap = [(-room, at) for at, spot in enumerate(left) if (room := spot.room.get(one.queue, 0))]
            heapq.heapify(heap)
            roomiest[one.queue] = heap
        if (at := _roomiest(heap, left, one)) is not None:
            placed[one.attempt_id] = left[at].session_id
            left[at] = left[at].take(one.queue)
    return placed


def _roomiest(heap: list[tuple[int, int]], left: Sequence[Place], one: Candidate) -> int | None:
    """The index of the place for it. Room only ever shrinks, so an entry is set right when it comes to the top."""
    passed_over = []
    found = None
    while heap and found is None:
        was, at = heap[0]
        room = left[at].room.get(one.queue, 0)
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
