"""Who gets which work: priority first, then age, spread over those with the most room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass
class Seats:
    """Free slots of one task environment; `free` is used up by placing."""

    queues: frozenset[str]
    free: int


@dataclass
class Place:
    """A session that waits for work, and how much one answer may carry."""

    session_id: UUID
    seats: list[Seats] = field(default_factory=list)
    most: int = 50

    def copy(self) -> Place:
        """Its own seats, so that placing in it uses up nothing here."""
        return Place(self.session_id, [Seats(one.queues, one.free) for one in self.seats], self.most)

    def wants(self) -> Mapping[str, int]:
        """Queue → how many it could take of it alone."""
        found: dict[str, int] = {}
        for seat in self.seats:
            for queue in seat.queues:
                found[queue] = min(found.get(queue, 0) + seat.free, self.most)
        return {queue: count for queue, count in found.items() if count > 0}

    def room(self, queue: str) -> int:
        if self.most <= 0:
            return 0
        return sum(seat.free for seat in self.seats if queue in seat.queues)

    def take(self, queue: str) -> None:
        """Use a slot for `queue`: of the environment that serves the fewest queues, so that the others stay free for
        what only they can run."""
        fitting = [seat for seat in self.seats if queue in seat.queues and seat.free > 0]
        if fitting:
            min(fitting, key=lambda seat: len(seat.queues)).free -= 1
        self.most -= 1


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Highest priority first, then oldest."""
    return sorted(candidates, key=lambda one: (-one.priority, one.created_at))


def place(candidates: Iterable[Candidate], places: Sequence[Place]) -> dict[UUID, UUID]:
    """Attempt → session. Uses up the room of `places`; what fits nowhere is left out."""
    placed: dict[UUID, UUID] = {}
    for one in in_order(candidates):
        fitting = [spot for spot in places if spot.session_id != one.avoid and spot.room(one.queue) > 0]
        if not fitting:
            continue
        best = max(fitting, key=lambda spot: spot.room(one.queue))
        best.take(one.queue)
        placed[one.attempt_id] = best.session_id
    return placed
