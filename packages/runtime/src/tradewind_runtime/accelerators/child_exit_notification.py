"""Supervisors, and the loop that parses Dag files, learn at once that a process they watch has ended.

Left alone Airflow learns of it from the end of the pipes to that process, which comes a moment earlier: it looks, finds the
process still there, and sleeps: a supervisor for a whole `[workers] min_heartbeat_interval` (5 s), the parsing loop for a
second. The same happens when something that a task has started holds the pipes open.
"""

from __future__ import annotations

import functools
import os
import selectors
import signal
from collections.abc import Callable
from typing import Any

from tradewind_runtime import kernel
from tradewind_runtime.airflow.task_fork import ProcessManager


class ChildExitNotification:
    """Of supervisors."""

    name = "child_exit_notification"

    def __init__(self) -> None:
        self._installed = False
        self._sources: tuple[tuple[Any, Callable[[object], bool]], ...] = ()
        """What becomes readable in this process when a process has ended, and what is done then."""

    def applies(self) -> str | None:
        from airflow.sdk.execution_time.supervisor import WatchedSubprocess

        if not hasattr(WatchedSubprocess, "_register_pipe_readers"):
            return "this Airflow's supervisor watches its processes in another way"
        return None

    def install(self) -> None:
        from airflow.sdk.execution_time.supervisor import WatchedSubprocess

        register = WatchedSubprocess._register_pipe_readers

        @functools.wraps(register)
        def registering(watched: Any, *args: Any, **kwargs: Any) -> None:
            register(watched, *args, **kwargs)
            for source, act in self._sources:
                watched.selector.register(source, selectors.EVENT_READ, (act, lambda _: None))

        WatchedSubprocess._register_pipe_readers = registering
        self._installed = True

    def listen(self, manager: ProcessManager) -> None:
        """Be told by SIGCHLD, and by `manager` of the processes it has forked. Call it once in a supervisor's process."""
        if not self._installed:
            return
        woken, wake = os.pipe()
        for fd in (woken, wake):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

        def drain(_: object) -> bool:
            try:
                os.read(woken, 4096)
            except BlockingIOError:
                return True
            return True

        def collect(_: object) -> bool:
            manager.exit_code(0)  # which it remembers
            return True

        def forget() -> None:
            self._sources = ()
            os.close(woken)
            os.close(wake)

        kernel.after_fork_of_mine(forget)
        self._sources = ((woken, drain), (manager, collect))


class ParserExitNotification:
    """Of the loop that parses Dag files."""

    name = "child_exit_notification"

    def __init__(self) -> None:
        self._installed = False

    def applies(self) -> str | None:
        return None

    def install(self) -> None:
        self._installed = True

    def listen(self, wake: int) -> None:
        """Write to the descriptor `wake`, which does not block, whenever a child of this process ends."""
        if self._installed:
            signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
            signal.signal(signal.SIGCHLD, lambda *_: None)
