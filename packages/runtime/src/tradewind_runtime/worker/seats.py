"""The zygote's end of a supervisor's process."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import suppress
from typing import Any

from tradewind_runtime.worker import reaper

IDLE_FOR = 10.0
"""Seconds a supervisor without work is kept for the next one of its kind."""

MOST_ATTEMPTS = 100
"""Served by one process: what a library leaks in it stays small."""


class Seat:
    """One such process; at most one attempt at a time is in it."""

    def __init__(self, pid: int, reins: socket.socket, *, origin: object = None, once: bool = False) -> None:
        self.pid = pid
        self.origin = origin  # the warm process it was forked from; None: the zygote itself
        self.idle_since = time.monotonic()
        self._reins = reins
        self._left = 1 if once else MOST_ATTEMPTS
        self._closed = False

    def fileno(self) -> int:
        return self._reins.fileno()

    @property
    def may_go_on(self) -> bool:
        """Whether it may serve another attempt."""
        return self._left > 0 and not self._closed

    def begin(self, payload: int) -> None:
        """Hand it the pipe an attempt's line comes out of. Raises OSError when the process is gone."""
        socket.send_fds(self._reins, [b"attempt"], [payload])
        self._left -= 1

    def hear(self) -> dict[str, Any] | None:
        """What it says of the attempt that has ended; None when it has itself ended without a word."""
        try:
            said = json.loads(self._reins.recv(65536) or b"null")
        except (OSError, ValueError):
            return None
        self.idle_since = time.monotonic()
        return said if isinstance(said, dict) else None

    def ask_to_end(self) -> None:
        """SIGTERM, which Airflow's supervisor passes on to the task. It serves nobody after that."""
        self._left = 0
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGTERM)

    def kill_work(self) -> None:
        """Kill everything under it, and leave it the chance to say so."""
        reaper.send(reaper.descendants(self.pid), signal.SIGKILL)

    def kill(self) -> None:
        """Kill it and everything under it. Those below that are not gone yet come to this process."""
        reaper.send([*reaper.descendants(self.pid), self.pid], signal.SIGKILL)

    def close(self) -> int:
        """End the process and collect it; returns its wait status. Idempotent."""
        if self._closed:
            return 0
        self._closed = True
        self._reins.close()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            return os.waitpid(self.pid, 0)[1]
        return 0
