"""An attempt that lives under a process manager: how it is stopped, and what its end is taken for."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final
from uuid import UUID

from tradewind_protocol.attempts import Outcome
from tradewind_runtime import kernel
from tradewind_runtime.accelerators.libraries import import_notes
from tradewind_runtime.worker import outcomes
from tradewind_runtime.worker.slot_process import SlotProcess

LAST_WORDS: Final = 2.0
"""Seconds a supervisor has, after its task was killed at the end of the grace, to report that and close the log."""

_KILL_AGAIN: Final = 1.0
"""Seconds between two kills of an attempt that outlives the first."""


@dataclass
class LiveAttempt:
    """One attempt, from its fork to its end. Times are monotonic."""

    attempt_id: UUID
    epoch: int
    slot: SlotProcess
    started_at: datetime
    dag_file: import_notes.DagFile | None
    memory_before: tuple[int, int]  # `kernel.out_of_memory_kills` before it was forked
    stop_reason: str | None = None
    _kill_work_at: float | None = None
    _kill_all_at: float | None = None

    def stop(self, reason: str, grace: float) -> None:
        """Ask it to end, and kill it after `grace` seconds. Idempotent: the first reason and grace count."""
        if self.stop_reason is None:
            self.stop_reason, self._kill_work_at = reason[:1000], time.monotonic() + grace
            self.slot.ask_to_end()

    def next_kill(self) -> float | None:
        """When `kill_if_late` has something to do; None while it was not asked to end."""
        return self._kill_all_at if self._kill_work_at is None else self._kill_work_at

    def kill_if_late(self) -> None:
        """When its grace is over, kill first the task, so that its supervisor can report it, then everything."""
        now = time.monotonic()
        if self._kill_work_at is not None and now >= self._kill_work_at:
            self.slot.kill_work()
            self._kill_work_at, self._kill_all_at = None, now + LAST_WORDS
        elif self._kill_all_at is not None and now >= self._kill_all_at:
            self.slot.kill()
            self._kill_all_at = now + _KILL_AGAIN

    def outcome(
        self, result: dict[str, Any] | None, *, wait_status: int, unkillable: Sequence[int]
    ) -> Outcome:
        """How it ended. `result`: what its supervisor reported; None when it was killed, as `wait_status` says."""
        killed = result is None or result.get("exit_code") == -signal.SIGKILL
        memory = outcomes.whose_memory(self.memory_before, kernel.out_of_memory_kills()) if killed else ""
        ending = outcomes.Ending(
            started_at=self.started_at,
            ended_at=datetime.now(timezone.utc),
            wait_status=wait_status if result is None else 0,
            word=result,
            stop_reason=self.stop_reason,
            out_of_memory=memory,
            unkillable=tuple(unkillable),
        )
        return outcomes.outcome(ending, epoch=self.epoch)
