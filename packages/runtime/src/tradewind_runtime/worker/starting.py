"""Which process an attempt is forked from: the zygote itself, or one that has its Dag file's libraries already."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from uuid import UUID

import structlog

from tradewind_runtime.worker import attempt, heap
from tradewind_runtime.worker.learning import DagFile, Knowledge
from tradewind_runtime.worker.warm import Warm

log = structlog.get_logger(__name__)

_ANEW_AFTER = 5.0
"""Seconds between two makings of a warm process: each costs the imports once."""


class Starts:
    """Forks keepers. Learns from attempts that began without libraries, and has a warm process made from that."""

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

    @property
    def starting(self) -> tuple[Warm, ...]:
        """Warm processes that will say when they are ready: to be waited for."""
        return () if self._next is None else (self._next,)

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(each.pid for each in (self._warm, self._next) if each is not None)

    def fork(self, dag_file: DagFile | None, *, epoch: int, payload: int, reins: socket.socket) -> int:
        """Fork the keeper of one attempt; returns its pid. Raises OSError when no process can be made."""
        warm = self._usable(dag_file)
        if warm is not None:
            if (keeper := warm.fork(epoch=epoch, payload=payload, reins=reins)) is not None:
                return keeper
            log.warning("The warm process has ended", action="warm_ended")
            self._retire()
        unknown = self._learn and dag_file is not None and not self._knowledge.knows(dag_file)
        heap.settle()
        pid = os.fork()
        if pid == 0:
            supervise = self._noting if unknown else self._plain
            attempt.keep(epoch=epoch, payload=payload, reins=reins, supervise=supervise)
        return pid

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
        """End the warm processes. Idempotent."""
        self._retire()
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
        if self._warm is not None:
            self._warm.close()
            self._warm = None
