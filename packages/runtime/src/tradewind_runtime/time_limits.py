"""Time limits of the doctor's checks: one that hangs is given up, and those after it are still made."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

_T = TypeVar("_T")
_Wait = Callable[["Future[Any]", float], Any]


class TimeIsUp(TimeoutError):
    """A check did not end in its time. `step`: what it was doing, in its own words; empty where it never began."""

    def __init__(self, seconds: float, step: str = "") -> None:
        super().__init__(
            f"no answer in {max(round(seconds), 1)} s"
        )  # what was left of all checks' time has a fraction
        self.seconds, self.step = seconds, step


def _wait(answer: Future[Any], seconds: float) -> Any:
    return answer.result(seconds)


def within(seconds: float, work: Callable[[], _T], *, wait: _Wait = _wait) -> _T:
    """The result of `work`, or what it raises; TimeIsUp after `seconds`.

    It runs in a thread, since the clouds' libraries try for minutes and take no order to stop. The thread of one that is
    given up goes on, and does not keep the process from its end.
    """
    answer: Future[_T] = Future()

    def run() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="limited", daemon=True).start()
    try:
        result: _T = wait(answer, seconds)
    except FutureTimeout:
        if answer.done():  # the work raised it
            raise
        raise TimeIsUp(seconds) from None
    return result


class TimeLimits:
    """The time that all checks have together. Each has a limit of its own, and no more than what is left."""

    def __init__(
        self, seconds: float, *, clock: Callable[[], float] = time.monotonic, wait: _Wait = _wait
    ) -> None:
        self._clock, self._wait = clock, wait
        self._end = clock() + seconds
        self.seconds = seconds
        self.gave_up = False

    def run(self, most: float, work: Callable[[Callable[[str], None]], _T]) -> _T:
        """The result of `work`, or what it raises. It says of each step what it does. Raises TimeIsUp."""
        seconds = min(most, self._end - self._clock())
        if seconds <= 0:
            raise TimeIsUp(0)
        steps: list[str] = []
        try:
            return within(seconds, lambda: work(steps.append), wait=self._wait)
        except TimeIsUp as error:
            self.gave_up = True
            raise TimeIsUp(seconds, steps[-1] if steps else "") from error
