"""The prefork process's end of a process manager."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import suppress
from typing import Any

from tradewind_runtime.worker import reaper
from tradewind_runtime.worker.process_manager import KILL
from tradewind_runtime.worker.supervisor import NOTED_WORK, WORK

IDLE_FOR = 10.0
"""Seconds a process manager and its supervisor without work are kept for the next one of its kind."""


class SlotProcess:
    """A process manager, its supervisor and one attempt at a time."""

    def __init__(
        self, pid: int, control_socket: socket.socket, *, attempts: int, origin: object = None
    ) -> None:
        self.pid = pid
        self.origin = origin  # the preloaded process it was forked from; None: the prefork process itself
        self.idle_since = time.monotonic()
        self._control_socket = control_socket
        self._left = attempts
        self._closed = False

    def fileno(self) -> int:
        return self._control_socket.fileno()

    @property
    def may_go_on(self) -> bool:
        """Whether it may serve another attempt."""
        return self._left > 0 and not self._closed

    def begin(self, payload: int, *, noted: bool) -> None:
        """Hand it the pipe an attempt's line comes out of. Raises OSError when the process manager is gone."""
        socket.send_fds(self._control_socket, [NOTED_WORK if noted else WORK], [payload])
        self._left -= 1

    def read_result(self) -> dict[str, Any] | None:
        """What is said of the attempt that has ended; None when the process manager has itself ended without a word."""
        try:
            unkillable, _, said = self._control_socket.recv(65536).partition(b"\n")
            word = json.loads(said or b"null")
            pids = [int(pid) for pid in unkillable.split()]
        except (OSError, ValueError):
            return None
        self.idle_since = time.monotonic()
        return {**word, "unkillable": pids} if isinstance(word, dict) else None

    def ask_to_end(self) -> None:
        """SIGTERM, which Airflow's supervisor passes on to the task. No attempt is served here after that."""
        self._left = 0
        with suppress(ProcessLookupError, PermissionError):  # gone, or not its own group's leader yet
            os.killpg(self.pid, signal.SIGTERM)

    def kill_work(self) -> None:
        """Kill everything of the attempt, and leave its supervisor the chance to say so."""
        with suppress(OSError):  # the manager has ended, and everything under it was killed
            self._control_socket.send(KILL)

    def kill(self) -> None:
        """Kill the process manager and everything under it. Those below that are not gone yet come to this process."""
        reaper.send([*reaper.descendants(self.pid), self.pid], signal.SIGKILL)

    def let_go(self) -> None:
        """Have the process manager end, with everything under it: readable when it has."""
        with suppress(OSError):  # the manager has ended already
            self._control_socket.shutdown(socket.SHUT_WR)

    def close(self) -> int:
        """End the process manager and collect it; returns its wait status. Idempotent."""
        if self._closed:
            return 0
        self._closed = True
        self._control_socket.close()
        with suppress(ProcessLookupError):  # gone already
            os.kill(self.pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # collected already
            return os.waitpid(self.pid, 0)[1]
        return 0
