"""Ctrl-C, and the signals that mean the same, while local processes run."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from types import FrameType
from typing import Any

_ASK_AGAIN = 0.05  # seconds until a signal that came at a bad moment is heard


class Interrupted:
    """Ctrl-C, SIGTERM and SIGHUP end what runs in an orderly way, once; again means: at once.

    The second one raises nothing, because it arrives while processes are being stopped and would leave the rest of
    them behind. It kills them instead, so that the stopping comes to its end.

    While a process is being started a signal waits: Python ignores what is raised in the functions that it calls around
    a fork, and a process that was started but not noted would be left behind.
    """

    def __init__(self) -> None:
        self.kill_all: Callable[[], None] = lambda: None
        self._before: dict[signal.Signals, Any] = {}
        self._asked = False

    def __enter__(self) -> Interrupted:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            self._before[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupt(self, _: int, frame: FrameType | None) -> None:
        if _starts_a_process(frame):
            signal.setitimer(signal.ITIMER_REAL, _ASK_AGAIN)
            return
        if self._asked:
            self.kill_all()
            return
        self._asked = True
        raise KeyboardInterrupt


def _starts_a_process(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code is subprocess.Popen.__init__.__code__:
            return True
        frame = frame.f_back
    return False
