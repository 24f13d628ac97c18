"""Which agent gets which work: priority first, then age, spread over those with the most free slots."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, islice
from uuid import UUID

from tradewind_protocol import sites
from tradewind_provider.domain.routes import Route


@dataclass(frozen=True)
class PendingWork:
    """Work that waits."""

    attempt_id: UUID
    route: Route
    priority: int
    created_at: datetime
    avoid: UUID | None = None  # a session that handed it back a moment ago


@dataclass(frozen=True, slots=True)
class SlotKind:
    """What slots of one kind can run."""

    site: str
    queues: frozenset[str]
    bundles: frozenset[str]
    canaries: bool = False

    def takes(self, route: Route) -> bool:
        return (
            route.queue in self.queues
            and route.site == self.site
            and (route.bundle is None or route.bundle in self.bundles)
            and (self.canaries or not route.canary)
        )


@dataclass(frozen=True, slots=True)
class EnvironmentSlots:
    """Free slots of one task environment."""

    queues: frozenset[str]
    free: int
    bundles: frozenset[str] = frozenset()
    canaries: bool = False  # it runs canaries

    def kind(self, site: str) -> SlotKind:
        return SlotKind(site, self.queues, self.bundles, self.canaries)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A session that waits for work, and how much one answer may carry."""

    session_id: UUID
    environments: tuple[EnvironmentSlots, ...] = ()
    most: int = 50
    site: str = sites.DEFAULT
    slots: Mapping[SlotKind, int] = field(init=False, repr=False, compare=False)
    """Free slots by what they can run. Counted once: a thousand candidates are looked at for each notification."""

    def __post_init__(self) -> None:
        slots: dict[SlotKind, int] = {}
        for one in self.environments if self.most > 0 else ():
            if one.free > 0 and one.queues:
                kind = one.kind(self.site)
                slots[kind] = slots.get(kind, 0) + one.free
        object.__setattr__(self, "slots", slots)

    def free_slots(self, route: Route) -> int:
        """Free slots in which work of this route could run."""
        return sum(free for kind, free in self.slots.items() if kind.takes(route))

    def take(self, route: Route) -> Candidate:
        """What is left when a slot is used for `route`: of the environment that serves the fewest queues, so that the
        others stay free for what only they can run."""
        fitting = [one for one in self.environments if one.free > 0 and one.kind(self.site).takes(route)]
        taken = min(fitting, key=lambda one: len(one.queues), default=None)
        environments = tuple(
            replace(one, free=one.free - 1) if one is taken else one for one in self.environments
        )
        return Candidate(self.session_id, environments, self.most - 1, self.site)


@dataclass(frozen=True)
class WorkBatch:
    """Work of one queue that the same slots can run, and so is asked for together: at most `most` pieces of it."""

    site: str | None
    queue: str
    bundles: frozenset[str | None]
    most: int
    canaries: bool = False  # canaries alone, which wait beside the work


def batches(waiting: Mapping[Route, int], candidates: Iterable[Candidate]) -> list[WorkBatch]:
    """What there are free slots for. Work of different bundles shares a batch only when every free slot that can run
    the one can run the other, so that none keeps the other from being looked at."""
    slots: Counter[SlotKind] = Counter()
    for one in candidates:
        for kind, free in one.slots.items():
            slots[kind] += min(free, one.most)
    alike: dict[tuple[str | None, str, bool, frozenset[SlotKind]], dict[str | None, int]] = {}
    for route, count in waiting.items():
        if able := frozenset(kind for kind in slots if kind.takes(route)):
            alike.setdefault((route.site, route.queue, route.canary, able), {})[route.bundle] = count
    return [
        WorkBatch(
            site,
            queue,
            frozenset(counts),
            min(sum(counts.values()), sum(slots[kind] for kind in able)),
            canaries,
        )
        for (site, queue, canaries, able), counts in alike.items()
    ]


def in_order(work: Iterable[PendingWork]) -> list[PendingWork]:
    """Highest priority first, then oldest."""
    return sorted(work, key=lambda one: (-one.priority, one.created_at))


def place(work: Iterable[PendingWork], candidates: Sequence[Candidate]) -> dict[UUID, UUID]:
    """Attempt → session: the one with the most free slots for its route, the first of them where several have as many.
    What fits nowhere is left out."""
    left = list(candidates)
    placed: dict[UUID, UUID] = {}
    most_free: dict[Route, list[tuple[int, int]]] = {}  # route → a heap of -free and the index in `left`
    for one in in_order(work):
        if (heap := most_free.get(one.route)) is None:
            heap = [
                (-free, at) for at, candidate in enumerate(left) if (free := candidate.free_slots(one.route))
            ]
            heapq.heapify(heap)
            most_free[one.route] = heap
        if (at := _most_free(heap, left, one)) is not None:
            placed[one.attempt_id] = left[at].session_id
            left[at] = left[at].take(one.route)
    return placed


def _most_free(heap: list[tuple[int, int]], left: Sequence[Candidate], one: PendingWork) -> int | None:
    """The index of the candidate for it. Free slots only ever become fewer, so an entry is set right when it comes to the top."""
    passed_over = []
    found = None
    while heap and found is None:
        was, at = heap[0]
        free = left[at].free_slots(one.route)
        if free == 0:
            heapq.heappop(heap)
        elif free != -was:
            heapq.heapreplace(heap, (-free, at))
        elif left[at].session_id == one.avoid:
            passed_over.append(heapq.heappop(heap))
        else:
            found = at
    for entry in passed_over:
        heapq.heappush(heap, entry)
    return found


class CandidateIndex:
    """The candidates that wait, by what their slots can run and how many are free: those with the most free slots are
    found without a look at the others. A session has one candidate at a time."""

    def __init__(self) -> None:
        # what slots can run → how many are free → session → candidate, in the order they came
        self._alike: dict[SlotKind, dict[int, dict[UUID, Candidate]]] = {}

    def add(self, one: Candidate) -> None:
        for kind, free in one.slots.items():
            self._alike.setdefault(kind, {}).setdefault(free, {})[one.session_id] = one

    def remove(self, one: Candidate) -> None:
        """Idempotent."""
        for kind, free in one.slots.items():
            by_free = self._alike.get(kind, {})
            if by_free.get(free, {}).pop(one.session_id, None) is not None and not by_free[free]:
                del by_free[free]
                if not by_free:
                    del self._alike[kind]

    def most_free(self, most: int | None) -> list[Candidate]:
        """For each kind of slots at most `most` candidates, those with the most free slots first, the oldest first among
        equals; all of them for None."""
        found: dict[UUID, Candidate] = {}
        for by_free in self._alike.values():
            found |= {one.session_id: one for one in islice(_ordered(by_free), most)}
        return list(found.values())

    def __contains__(self, route: Route) -> bool:
        """A candidate has a free slot for it."""
        return any(kind.takes(route) for kind in self._alike)


def _ordered(by_free: dict[int, dict[UUID, Candidate]]) -> Iterator[Candidate]:
    return chain.from_iterable(by_free[free].values() for free in sorted(by_free, reverse=True))
