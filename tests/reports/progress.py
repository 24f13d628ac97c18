"""Waiting for as long as something goes on, however slow the machine is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

STALLED = 150.0
"""Seconds in which no run ends and user code writes nothing down, after which what is left is taken as it stands."""


class Progress:
    """What goes on at one side: runs that end, and the journal of user code."""

    def __init__(
        self, journal: Path, *, clock: Callable[[], float] = time.monotonic, pause: float = 0.5
    ) -> None:
        """`pause`: seconds between two looks at what is waited for."""
        self._journal, self._clock, self._pause = journal, clock, pause
        self._lock = threading.Lock()
        self._written = self._ended = 0
        self._since = clock()

    def note_ended(self, runs: int) -> None:
        """As many runs have ended so far."""
        with self._lock:
            if runs > self._ended:
                self._ended, self._since = runs, self._clock()

    @property
    def still_for(self) -> float:
        """Seconds since anything went on."""
        with self._lock:
            written = self._journal.stat().st_size if self._journal.exists() else 0
            if written > self._written:
                self._written, self._since = written, self._clock()
            return self._clock() - self._since

    @property
    def stalled(self) -> bool:
        return self.still_for > STALLED

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Return once it is true. Raises AssertionError when nothing goes on any more and it is not."""
        while not condition():
            if self.stalled:
                raise AssertionError(f"nothing has gone on for {self.still_for:.0f} s, and not yet: {what}")
            time.sleep(self._pause)
