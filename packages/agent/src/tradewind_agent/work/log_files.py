"""Finding the log of one task on this machine: strictly under the log directory, never through a link."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_STILL_WRITTEN = 5.0  # seconds: a file changed more lately may end in the middle of a line
_NOT_TASKS = frozenset({"dag_processor"})  # directories of the log directory that hold no task's log


class LogNotFound(Exception):
    """There is no such log; the message tells the reader why."""


@dataclass(frozen=True)
class OpenLog:
    """A file that is open, and what of it is to be read."""

    name: str
    descriptor: int
    size: int
    still_written: bool


class LogFiles:
    """The files of one task's try, open: its own log, then those its triggers wrote beside it. A context manager."""

    def __init__(self, directory: Path, path: str) -> None:
        self._directory = directory
        self._path = path
        self._stack = ExitStack()
        self.files: tuple[OpenLog, ...] = ()

    def __enter__(self) -> LogFiles:
        """Raises LogNotFound."""
        with ExitStack() as stack:
            self.files = tuple(self._open(stack))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _open(self, stack: ExitStack) -> Iterator[OpenLog]:
        parts = _parts(self._path)
        where = f"{self._directory / self._path}"
        try:
            # The log directory may be a link, its owner chose it; nothing under it may be one.
            parent = _held(stack, os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            for part in parts[:-1]:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
                parent = _held(stack, os.open(part, flags, dir_fd=parent))
            names = _names(parent, parts[-1])
        except (OSError, ValueError) as error:
            raise LogNotFound(f"there is no log at {where}: {_cause(error)}") from None
        found = False
        for name in names:
            with suppress(FileNotFoundError):  # uploaded and removed since it was listed
                yield self._opened(stack, parent, name)
                found = True
        if not found:
            raise LogNotFound(f"there is no log at {where}")

    def _opened(self, stack: ExitStack, parent: int, name: str) -> OpenLog:
        shown = str((self._directory / self._path).with_name(name))
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = _held(stack, os.open(name, flags, dir_fd=parent))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LogNotFound(f"{shown} is not read: {_cause(error)}") from None
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1:
            raise LogNotFound(f"{shown} is not read: it is not a plain file of its own")
        return OpenLog(shown, descriptor, facts.st_size, time.time() - facts.st_mtime < _STILL_WRITTEN)


def _parts(path: str) -> tuple[str, ...]:
    given = PurePosixPath(path)
    parts = given.parts
    if given.is_absolute() or not parts or ".." in parts or "\0" in path or parts[0] in _NOT_TASKS:
        raise LogNotFound("the log's name leads out of the log directory, so it is not looked for")
    return parts


def _names(parent: int, name: str) -> list[str]:
    beside = [each for each in os.listdir(parent) if each.startswith(f"{name}.trigger.")]
    return [name, *sorted(each for each in beside if each.endswith(".log"))][:100]


def _held(stack: ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor


def _cause(error: Exception) -> str:
    if isinstance(error, OSError):
        return (
            "it is a link" if error.errno in (errno.ELOOP, errno.ENOTDIR) else (error.strerror or str(error))
        )
    return str(error)
