"""How Airflow's supervisor learns that a process it watches has ended: at once.

Left alone it learns of it from the end of the pipes to that process, which comes a moment earlier: it looks, finds the
process still there, and sleeps for a whole `[workers] min_heartbeat_interval` (5 s). The same when something the task
started holds the pipes open. If a later Airflow names things differently, all that is lost is this haste.
"""

from __future__ import annotations

import functools
import os
import selectors
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tradewind_runtime import kernel
from tradewind_runtime.accelerators.fork_delegation import ProcessManager

_news: tuple[tuple[Any, Callable[[object], bool]], ...] = ()
"""What becomes readable in this process when one has ended, and what is done then."""


def let_supervisors_notice() -> None:
    """Make supervisors able to `listen`. Call it once, before they are forked."""
    from airflow.sdk.execution_time.supervisor import WatchedSubprocess

    register = getattr(WatchedSubprocess, "_register_pipe_readers", None)
    if register is None:
        return

    @functools.wraps(register)
    def registering(self: Any, *args: Any, **kwargs: Any) -> None:
        register(self, *args, **kwargs)
        for source, act in _news:
            self.selector.register(source, selectors.EVENT_READ, (act, lambda _: None))

    WatchedSubprocess._register_pipe_readers = registering


def listen(manager: ProcessManager) -> None:
    """Hear of ends by SIGCHLD, and of those of processes that `manager` has forked by its news. Call it once in the
    supervisor's process."""
    global _news
    woken, wake = os.pipe()
    for fd in (woken, wake):
        os.set_blocking(fd, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def drain(_: object) -> bool:
        with suppress(BlockingIOError):
            os.read(woken, 4096)
        return True

    def hear(_: object) -> bool:
        manager.exit_code(0)  # which it remembers
        return True

    def forget() -> None:
        global _news
        _news = ()
        os.close(woken)
        os.close(wake)

    kernel.after_fork_of_mine(forget)
    _news = ((woken, drain), (manager, hear))
