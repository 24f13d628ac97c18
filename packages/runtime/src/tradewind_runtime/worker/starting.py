"""Which process serves an attempt: forked from the zygote itself, or from one that has its Dag file's libraries."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from uuid import UUID

import structlog

from tradewind_runtime.worker import attempt, heap, keeper
from tradewind_runtime.worker.learning import DagFile, Knowledge
from tradewind_runtime.worker.seats import IDLE_FOR, Seat
from tradewind_runtime.worker.warm import Warm

log = structlog.get_logger(__name__)

_ANEW_AFTER = 5.0
"""Seconds between two makings of a warm process: each costs the imports once."""


class Starts:
    """Finds or forks keepers. Learns from attempts that began without libraries, one of each Dag file at a time, and has a
    warm process made from that."""

    def __init__(self, knowledge: Knowledge, work: attempt.Work, *, learn: bool) -> None:
        self._knowledge = knowledge
        self._work = work
        self._learn = learn
        self._noted: dict[DagFile, UUID] = {}  # and the attempt that is to leave its note
        self._warm: Warm | None = None
        self._next: Warm | None = None
        self._made_at = float("-inf")
        self._idle: list[Seat] = []  # the one that was busy last is last
        self._leaving: list[Seat] = []

    @property
    def awaited(self) -> tuple[Warm | Seat, ...]:
        """Of whom there will be news: warm processes in the making, keepers on their way out, and those without work,
        whose only news is that they were killed."""
        return (*self._idle, *self._leaving, *(() if self._next is None else (self._next,)))

    @property
    def pids(self) -> tuple[int, ...]:
        """Children that are no attempt's."""
        warm = (each.pid for each in (self._warm, self._next) if each is not None)
        return (*warm, *(each.pid for each in self._idle), *(each.pid for each in self._leaving))

    def begin(self, attempt_id: UUID, dag_file: DagFile | None, payload: int) -> Seat:
        """The seat that serves the attempt whose line comes out of `payload`. Raises OSError when no process can
        be made."""
        self._read_note(dag_file)
        warm = self._usable(dag_file)
        noted = self._is_to_be_noted(dag_file)
        seat = self._seat(warm, payload, once=dag_file is None, noted=noted)
        if noted and dag_file is not None:
            self._noted[dag_file] = attempt_id
        return seat

    def _seat(self, warm: Warm | None, payload: int, *, once: bool, noted: bool) -> Seat:
        # Once: work that reads no Dag file changes its supervisor in ways that suit no other.
        while not once and (idle := self._idle_one(warm)) is not None:
            try:
                idle.begin(payload, noted=noted)
            except OSError:  # it was killed a moment ago: its reins will say so
                self._leaving.append(idle)
                continue
            return idle
        seat = self._fork(warm, once=once)
        with suppress(OSError):  # gone already: its reins will say so
            seat.begin(payload, noted=noted)
        return seat

    def _read_note(self, dag_file: DagFile | None) -> None:
        """Take the note of an attempt that may go on for long: it is there once the file is read."""
        if dag_file is not None and (noted := self._noted.get(dag_file)) is not None:
            if self._knowledge.collect(noted, dag_file):
                del self._noted[dag_file]
                self._make()

    def _is_to_be_noted(self, dag_file: DagFile | None) -> bool:
        return (
            self._learn
            and dag_file is not None
            and dag_file not in self._noted
            and not self._knowledge.knows(dag_file)
        )

    def give_back(self, seat: Seat) -> None:
        """Its attempt has ended well and nobody of it is left: keep it for another one."""
        if seat.may_go_on and seat.origin in (None, self._warm):
            self._idle.append(seat)
        else:
            self._let_go(seat)

    def close_idle(self) -> float | None:
        """End keepers that had no work for long. Returns when to look again, None when none is idle."""
        now = time.monotonic()
        while self._idle and now >= self._idle[0].idle_since + IDLE_FOR:
            self._let_go(self._idle.pop(0))
        return self._idle[0].idle_since + IDLE_FOR if self._idle else None

    def _let_go(self, seat: Seat) -> None:
        seat.let_go()
        self._leaving.append(seat)

    def _idle_one(self, warm: Warm | None) -> Seat | None:
        for place in reversed(range(len(self._idle))):
            if self._idle[place].origin is warm:
                return self._idle.pop(place)
        return None

    def _fork(self, warm: Warm | None, *, once: bool) -> Seat:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            if warm is not None:
                if (pid := warm.fork(theirs)) is not None:
                    return Seat(pid, ours, origin=warm)
                log.warning("The warm process has ended", action="warm_ended")
                self._retire()
            heap.settle()
            if (pid := os.fork()) == 0:
                keeper.serve(theirs, self._work)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return Seat(pid, ours, once=once)

    def ended(self, attempt_id: UUID, dag_file: DagFile | None) -> None:
        """An attempt has ended: see what it taught."""
        if dag_file is not None and self._learn:
            if self._noted.get(dag_file) == attempt_id:
                del self._noted[dag_file]
                self._knowledge.collect(attempt_id, dag_file)
            self._make()

    def hear(self, fd: int) -> bool:
        """Act on news of one of `awaited`. False when `fd` is somebody else's. A keeper that was killed may have left its
        supervisor to this process."""
        for seats in (self._idle, self._leaving):
            for seat in seats:
                if seat.fileno() == fd:
                    seats.remove(seat)
                    seat.close()
                    return True
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
        """End the warm processes and the keepers without work. Idempotent."""
        self._retire()
        for seats in (self._idle, self._leaving):
            while seats:
                seats.pop().close()
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
            self._next = Warm(wanted, self._work)

    def _retire(self) -> None:
        warm, self._warm = self._warm, None
        if warm is None:
            return
        for seat in [seat for seat in self._idle if seat.origin is warm]:
            self._idle.remove(seat)
            self._let_go(seat)
        warm.close()
