"""Waits for what takes a while, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn

from tradewind_platform.reconciler.driver import Document, StepFailed, StepWaits


class Patience:
    """Since when each step of each Deployment waits. A controller that is started anew has all its patience again."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._since: dict[tuple[str, str], float] = {}

    def wait(self, document: Document, step: str, why: str, *, final: bool = True) -> NoReturn:
        """Raises StepWaits, and StepFailed once it has waited so many seconds."""
        now = self._now()
        if now - self._since.setdefault((document.slug, step), now) > self._seconds:
            self.end(document, step)
            raise StepFailed(why, final=final)
        raise StepWaits(why, again=2.0)

    def end(self, document: Document, step: str) -> None:
        """The step waits no longer."""
        self._since.pop((document.slug, step), None)
