"""The worker process of one environment, and the attempts in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psutil  # type: ignore[import-untyped]
import structlog

from tradewind_agent.environments.process import ComponentProcess
from tradewind_protocol.attempts import Outcome
from tradewind_protocol.hosts import AttemptEnded, AttemptStarted, RunAttempt, StopAttempt

log = structlog.get_logger(__name__)


class WorkerLost(Exception):
    """The worker process has ended, or never ran, so that the end of the attempt is unknown. The message says which."""


class Worker(ComponentProcess):
    """Runs attempts, and reports how each ended even when the process itself dies."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._ends: dict[UUID, asyncio.Future[Outcome]] = {}
        self._epochs: dict[UUID, int] = {}
        self._leaders: dict[UUID, psutil.Process] = {}
        self._on_forked: dict[UUID, Callable[[], None]] = {}

    async def execute(self, message: RunAttempt, *, on_forked: Callable[[], None] = lambda: None) -> Outcome:
        """Run one attempt and return how it ended, once its whole process group is gone. Raises WorkerLost when the process
        dies, or is not there. `on_forked` is called once it has a process."""
        process = self._process
        if process is None or not self.ready:
            raise WorkerLost(f"the {self.title} is not running")
        end: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._ends[message.attempt_id], self._epochs[message.attempt_id] = end, message.epoch
        self._on_forked[message.attempt_id] = on_forked
        try:
            process.send(message)
            return await end
        finally:
            self._ends.pop(message.attempt_id, None)
            self._epochs.pop(message.attempt_id, None)
            self._leaders.pop(message.attempt_id, None)
            self._on_forked.pop(message.attempt_id, None)

    def stop_attempt(self, attempt_id: UUID, *, reason: str, grace: float = 5.0) -> None:
        """Ask for the end of an attempt; `execute` returns when it has ended. Idempotent."""
        if self._process is not None and attempt_id in self._ends:
            self._process.send(StopAttempt(attempt_id=attempt_id, reason=reason[:4000], grace=grace))

    def received(self, message: Any) -> None:
        if isinstance(message, AttemptStarted):
            # Remembered with its birth time, so that a pid used again later is never mistaken for it.
            with contextlib.suppress(psutil.Error):  # ended already
                self._leaders[message.attempt_id] = psutil.Process(message.pid)
            if (on_forked := self._on_forked.pop(message.attempt_id, None)) is not None:
                on_forked()
        elif isinstance(message, AttemptEnded):
            self._end(message.attempt_id, message.outcome)

    async def gone(self, description: str) -> None:
        for leader in list(self._leaders.values()):
            kill_tree(leader)
        for end in list(self._ends.values()):
            if not end.done():
                end.set_exception(WorkerLost(f"its {self.title} {description}"))

    def _end(self, attempt_id: UUID, outcome: Outcome) -> None:
        end = self._ends.get(attempt_id)
        if end is not None and not end.done():
            end.set_result(outcome.model_copy(update={"epoch": self._epochs[attempt_id]}))


def kill_tree(leader: psutil.Process) -> None:
    """Kill a process, its group and all it started, as far as it is still the process it was."""
    with contextlib.suppress(
        psutil.Error, ProcessLookupError, PermissionError
    ):  # what is gone needs no signal
        if not leader.is_running():
            return
        family = leader.children(recursive=True)
        if os.getpgid(leader.pid) == leader.pid:
            os.killpg(leader.pid, signal.SIGKILL)
        for each in (leader, *family):
            with contextlib.suppress(psutil.Error):  # gone with the group
                each.kill()
