"""Which triggers this process has, and what the plane wants otherwise: shared by the loop and the thread that listens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from tradewind_protocol import triggers as wire

REST = 10.0
"""Seconds before a trigger that failed is taken again: an asset watcher that cannot start must not spin."""


@dataclass(frozen=True)
class Arrived:
    """What the plane wants, since the last time the loop looked."""

    create: tuple[wire.CreateTrigger, ...] = ()
    cancel: frozenset[int] = frozenset()  # stop it and what it manages
    moved: frozenset[int] = frozenset()  # stop it and nothing else


class AssignedTriggers:
    """Safe to use from both threads. `clock` is monotonic, in seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: frozenset[int] = frozenset()
        self._stopping: frozenset[int] = frozenset()
        self._resting: dict[int, float] = {}
        self._create: dict[int, wire.CreateTrigger] = {}
        self._cancel: set[int] = set()
        self._moved: set[int] = set()

    def arrive(self, answer: wire.SyncAnswer) -> bool:
        """Keep what is new in an answer for the loop. False when nothing was."""
        with self._lock:
            known = self._held | self._create.keys()
            create = {one.id: one for one in answer.create if one.id not in known}
            stop = (known | create.keys()) - self._stopping
            cancel = stop.intersection(answer.cancel) - self._cancel
            moved = stop.intersection(answer.moved) - self._moved
            for trigger_id in (*answer.cancel, *answer.moved):
                self._resting.pop(trigger_id, None)
            self._create |= create
            self._cancel |= cancel
            self._moved |= moved
            return bool(create or cancel or moved)

    def take(self, held: Iterable[int], stopping: Collection[int]) -> Arrived:
        """Say what the loop has and is stopping, and take what arrived. What is taken counts as held from now on."""
        with self._lock:
            # something created and given up between two looks was never run: nothing to stop
            create = tuple(one for one in self._create.values() if one.id not in self._cancel | self._moved)
            arrived = Arrived(create, frozenset(self._cancel), frozenset(self._moved))
            self._create, self._cancel, self._moved = {}, set(), set()
            self._held = frozenset(held) | {one.id for one in create}
            self._stopping = frozenset(stopping) | ((arrived.cancel | arrived.moved) & self._held)
            return arrived

    def rest(self, trigger_id: int) -> None:
        """Do not take this one again for a moment."""
        with self._lock:
            self._resting[trigger_id] = self._clock() + REST

    def ids(self) -> frozenset[int]:
        """What to tell the plane that we have. A trigger being stopped is left out: the plane does not want it here,
        or wants it again."""
        with self._lock:
            now = self._clock()
            self._resting = {one: until for one, until in self._resting.items() if until > now}
            return ((self._held | self._create.keys()) - self._stopping) | self._resting.keys()
