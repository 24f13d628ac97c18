"""Which process serves an attempt: forked from the prefork process itself, or from one that has its Dag file's libraries."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from uuid import UUID

import structlog

from tradewind_runtime.accelerators.libraries.import_notes import DagFile, ImportNotes
from tradewind_runtime.accelerators.libraries.preloaded_process import Forking, PreloadedProcess
from tradewind_runtime.worker.slot_process import IDLE_FOR, SlotProcess

log = structlog.get_logger(__name__)

_ANEW_AFTER = 5.0
"""Seconds between two makings of a preloaded process: each costs the imports once."""


class SlotPool:
    """Finds or forks process managers. Learns from attempts that began without libraries, one of each Dag file at a time, which
    libraries a preloaded process is to have."""

    def __init__(self, notes: ImportNotes, forking: Forking, *, learn: bool, attempts: int) -> None:
        self._notes = notes
        self._forking = forking
        self._learn = learn
        self._attempts = attempts
        self._noted: dict[DagFile, UUID] = {}  # the attempt that is to leave the note of a Dag file
        self._preloaded: PreloadedProcess | None = None
        self._next: PreloadedProcess | None = None
        self._made_at = float("-inf")
        self._idle: list[SlotProcess] = []  # the one that was busy last is last
        self._leaving: list[SlotProcess] = []

    @property
    def awaited(self) -> tuple[PreloadedProcess | SlotProcess, ...]:
        """What `handle` acts on when it can be read: preloaded processes in the making, process managers that are ending, and idle
        ones, which can be read only when they were killed."""
        return (*self._idle, *self._leaving, *(() if self._next is None else (self._next,)))

    @property
    def pids(self) -> tuple[int, ...]:
        """Children that are no attempt's."""
        preloaded = (each.pid for each in (self._preloaded, self._next) if each is not None)
        return (*preloaded, *(each.pid for each in self._idle), *(each.pid for each in self._leaving))

    def begin(self, attempt_id: UUID, dag_file: DagFile | None, payload: int) -> SlotProcess:
        """The slot that serves the attempt whose line comes out of `payload`. Raises OSError when no process can
        be made."""
        self._read_note(dag_file)
        preloaded = self._usable(dag_file)
        noted = self._is_to_be_noted(dag_file)
        slot = self._slot(preloaded, payload, once=dag_file is None, noted=noted)
        if noted and dag_file is not None:
            self._noted[dag_file] = attempt_id
        return slot

    def _slot(
        self, preloaded: PreloadedProcess | None, payload: int, *, once: bool, noted: bool
    ) -> SlotProcess:
        # Once: work that reads no Dag file changes its supervisor in ways that suit no other.
        while not once and (idle := self._idle_one(preloaded)) is not None:
            try:
                idle.begin(payload, noted=noted)
            except OSError:  # it was killed a moment ago: its control_socket will say so
                self._leaving.append(idle)
                continue
            return idle
        slot = self._fork(preloaded, once=once)
        with suppress(OSError):  # gone already: its control_socket will say so
            slot.begin(payload, noted=noted)
        return slot

    def _read_note(self, dag_file: DagFile | None) -> None:
        """Take the note of an attempt that may go on for long: it is there once the file is read."""
        if dag_file is not None and (noted := self._noted.get(dag_file)) is not None:
            if self._notes.collect(noted, dag_file):
                del self._noted[dag_file]
                self._make()

    def _is_to_be_noted(self, dag_file: DagFile | None) -> bool:
        return (
            self._learn
            and dag_file is not None
            and dag_file not in self._noted
            and not self._notes.knows(dag_file)
        )

    def give_back(self, slot: SlotProcess) -> None:
        """Its attempt has ended well and no process of it is left: keep it for another one."""
        if slot.may_go_on and slot.origin in (None, self._preloaded):
            self._idle.append(slot)
        else:
            self._let_go(slot)

    def close_idle(self) -> float | None:
        """End process managers that had no work for long. Returns when to look again, None when none is idle."""
        now = time.monotonic()
        while self._idle and now >= self._idle[0].idle_since + IDLE_FOR:
            self._let_go(self._idle.pop(0))
        return self._idle[0].idle_since + IDLE_FOR if self._idle else None

    def _let_go(self, slot: SlotProcess) -> None:
        slot.let_go()
        self._leaving.append(slot)

    def _idle_one(self, preloaded: PreloadedProcess | None) -> SlotProcess | None:
        for place in reversed(range(len(self._idle))):
            if self._idle[place].origin is preloaded:
                return self._idle.pop(place)
        return None

    def _fork(self, preloaded: PreloadedProcess | None, *, once: bool) -> SlotProcess:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            if preloaded is not None:
                if (pid := preloaded.fork(theirs)) is not None:
                    return SlotProcess(pid, ours, attempts=self._attempts, origin=preloaded)
                log.warning("The preloaded process has ended", action="warm_ended")
                self._retire()
            self._forking.settle()
            if (pid := os.fork()) == 0:
                self._forking.serve(theirs)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return SlotProcess(pid, ours, attempts=1 if once else self._attempts)

    def ended(self, attempt_id: UUID, dag_file: DagFile | None) -> None:
        """An attempt has ended: take the note it was to leave."""
        if dag_file is not None and self._learn:
            if self._noted.get(dag_file) == attempt_id:
                del self._noted[dag_file]
                self._notes.collect(attempt_id, dag_file)
            self._make()

    def handle(self, fd: int) -> bool:
        """Act on one of `awaited` that can be read. False when `fd` is none of theirs. The supervisor of a process manager that
        was killed may have become a child of this process."""
        for slot_processes in (self._idle, self._leaving):
            for slot in slot_processes:
                if slot.fileno() == fd:
                    slot_processes.remove(slot)
                    slot.close()
                    return True
        if self._next is None or self._next.fileno() != fd:
            return False
        coming, self._next = self._next, None
        if coming.read_ready():
            self._retire()
            self._preloaded = coming
        else:
            log.warning("Libraries could not be preloaded", action="preload_failed")
            coming.close()
        return True

    def close(self) -> None:
        """End the preloaded processes and the process managers without work. Idempotent."""
        self._retire()
        for slot_processes in (self._idle, self._leaving):
            while slot_processes:
                slot_processes.pop().close()
        if self._next is not None:
            self._next.close()
            self._next = None

    def _usable(self, dag_file: DagFile | None) -> PreloadedProcess | None:
        preloaded = self._preloaded
        if preloaded is None or dag_file is None:
            return None
        if preloaded.changed():
            log.info("A preloaded library has changed on disk", action="preload_outdated")
            self._retire()
            self._make()
            return None
        return preloaded if self._notes.may_start_with(dag_file, preloaded.modules) else None

    def _make(self) -> None:
        """Have a preloaded process made when what is known asks for another one."""
        wanted = tuple(self._notes.wanted())
        newest = self._next or self._preloaded
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
        with suppress(OSError):  # no process can be made now: attempts are forked without libraries
            self._next = PreloadedProcess(wanted, self._forking)

    def _retire(self) -> None:
        preloaded, self._preloaded = self._preloaded, None
        if preloaded is None:
            return
        for slot in [slot for slot in self._idle if slot.origin is preloaded]:
            self._idle.remove(slot)
            self._let_go(slot)
        preloaded.close()
