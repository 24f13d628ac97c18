"""What a file says, read again when the file changes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from tradewind_agent.errors import SettingsWrong

T = TypeVar("T")

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at the file."""


class Reread(Generic[T]):
    """The content of `file` by `read`. A change that cannot be read, and a file that is gone, leave the content before in force.

    Each change is told: `taken` gets the new content, `refused` why it was not taken. Raises SettingsWrong when the first
    content cannot be read.
    """

    def __init__(
        self,
        file: Path,
        read: Callable[[Path], T],
        *,
        now: Callable[[], float],
        taken: Callable[[T], None],
        refused: Callable[[str], None],
    ) -> None:
        self._file = file
        self._read = read
        self._now = now
        self._taken = taken
        self._refused = refused
        self._looked = now()
        self._seen = _version(file)  # before it is read: what changes meanwhile is read again
        self._content = read(file)

    def __call__(self) -> T:
        """The content now."""
        if not 0 <= self._now() - self._looked < LOOK_EVERY:
            self._looked = self._now()
            if (seen := _version(self._file)) != self._seen:
                self._seen = seen
                self._look()
        return self._content

    def _look(self) -> None:
        try:
            self._content = self._read(self._file)
        except SettingsWrong as wrong:
            self._refused(wrong.message)
        else:
            self._taken(self._content)


def _version(file: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
