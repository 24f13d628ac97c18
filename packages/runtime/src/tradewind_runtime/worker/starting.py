"""Which process serves an attempt: forked from the zygote itself, or from one that has its Dag file's libraries."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from uuid import UUID

import structlog

from tradewind_runtime.worker import attempt, heap
from tradewind_runtime.worker.learning import DagFile, Knowledge
from tradewind_runtime.worker.seats import IDLE_FOR, Seat
from tradewind_runtime.worker.warm import Warm

log = structlog.get_logger(__name__)

_ANEW_AFTER = 5.0
"""Seconds between two makings of a warm process: each costs the imports once."""


class Starts:
    """Finds or forks supervisors. Learns from attempts that began without libraries, and has a warm process made from
    that."""

    def __init__(
        self, knowledge: Knowledge, *, plain: attempt.Supervise, noting: attempt.Supervise, learn: bool
    ) -> None:
        self._knowledge = knowledge
        self._plain = plain
        self._noting = noting
        self._learn = learn
        self._warm: Warm | None = None
        self._next: Warm | None = None
        self._made_at = float("-inf")
        self._idle: list[Seat] = []  # the one that was busy last is last

    @property
    def starting(self) -> tuple[Warm, ...]:
        """Warm processes that will say when they are ready: to be waited for."""
        return () if self._next is None else (self._next,)

    @property
    def pids(self) -> tuple[int, ...]:
        """Children that are no attempt's."""
        warm = (each.pid for each in (self._warm, self._next) if each is not None)
        return (*warm, *(each.pid for each in self._idle))

    def begin(self, dag_file: DagFile | None, payload: int) -> Seat:
        """The supervisor that serves the attempt whose line comes out of `payload`. Raises OSError when no process can
        be made."""
        warm = self._usable(dag_file)
        # Only a file that was read before is served by a supervisor that serves others too: others leave a note.
        unknown = self._learn and dag_file is not None and not self._knowledge.knows(dag_file)
        once = unknown or dag_file is None
        while not once and (idle := self._idle_one(warm)) is not None:
            try:
                idle.begin(payload)
            except OSError:  # it was killed while it had no work
                idle.close()
                continue
            return idle
        seat = self._fork(warm, once=once, supervise=self._noting if unknown else self._plain)
        with suppress(OSError):  # gone already: its reins will say so
            seat.begin(payload)
        return seat

    def give_back(self, seat: Seat) -> None:
        """Its attempt has ended well and nobody of it is left: keep it for another one."""
        if seat.may_go_on and seat.origin in (None, self._warm):
            self._idle.append(seat)
        else:
            seat.close()

    def close_idle(self) -> float | None:
        """End supervisors that had no work for long. Returns when to look again, None when none is idle."""
        now = time.monotonic()
        while self._idle and now >= self._idle[0].idle_since + IDLE_FOR:
            self._idle.pop(0).close()
        return self._idle[0].idle_since + IDLE_FOR if self._idle else None

    def _idle_one(self, warm: Warm | None) -> Seat | None:
        for place in reversed(range(len(self._idle))):
            if self._idle[place].origin is warm:
                return self._idle.pop(place)
        return None

    def _fork(self, warm: Warm | None, *, once: bool, supervise: attempt.Supervise) -> Seat:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            if warm is not None:
                if (pid := warm.fork(theirs)) is not None:
                    return Seat(pid, ours, origin=warm)
                log.warning("The warm process has ended", action="warm_ended")
                self._retire()
            heap.settle()
            if (pid := os.fork()) == 0:
                attempt.serve(theirs, supervise)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return Seat(pid, ours, once=once)

    def ended(self, attempt_id: UUID, dag_file: DagFile | None) -> None:
        """An attempt has ended: see what it taught."""
        if dag_file is not None and self._learn:
            self._knowledge.collect(attempt_id, dag_file)
            self._make()

    def hear(self, fd: int) -> bool:
        """Act on news from the warm process in the making. False when `fd` is somebody else's."""
        if self._next is None or self._next.fileno() != fd:
            return False
        coming, self._next = self._next, None
        if coming.hear():
            self._retire()
            self._warm = coming
        else:
            log.warning("Libraries could not be preloaded", action="preload_failed")
            coming.close()
        return True

    def close(self) -> None:
        """End the warm processes and the supervisors without work. Idempotent."""
        self._retire()
        while self._idle:
            self._idle.pop().close()
        if self._next is not None:
            self._next.close()
            self._next = None

    def _usable(self, dag_file: DagFile | None) -> Warm | None:
        warm = self._warm
        if warm is None or dag_file is None:
            return None
        if warm.changed():
            log.info("A preloaded library has changed on disk", action="preload_outdated")
            self._retire()
            self._make()
            return None
        return warm if self._knowledge.may_start_with(dag_file, warm.modules) else None

    def _make(self) -> None:
        """Have a warm process made when what is known asks for another one."""
        wanted = tuple(self._knowledge.wanted())
        newest = self._next or self._warm
        if (
            not wanted
            or self._next is not None
            or (newest is not None and set(wanted) <= set(newest.asked_for))
        ):
            return
        now = time.monotonic()
        if now < self._made_at + _ANEW_AFTER:
            return
        self._made_at = now
        with suppress(OSError):
            self._next = Warm(wanted, self._plain)

    def _retire(self) -> None:
        warm, self._warm = self._warm, None
        if warm is None:
            return
        for seat in [seat for seat in self._idle if seat.origin is warm]:
            self._idle.remove(seat)
            seat.close()
        warm.close()
