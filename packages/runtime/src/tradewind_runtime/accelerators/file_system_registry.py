"""What fsspec, which Airflow imports, does in each forked process at once: it resets every kind of file system, some twenty
classes, and each one reset is memory copied.

A process manager and a supervisor use none of them. A task may, but has no need of it either before it forks itself: its locks are
free, because what it was forked from has one thread, and instances of another process are forgotten by fsspec when one is
asked for, by process id.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any
from weakref import WeakSet

_aside: WeakSet[Any] = WeakSet()


def put_aside() -> None:
    """Have processes forked from here on reset none of the kinds known now. Idempotent; call it again when more may be
    known. If a later fsspec names things differently, nothing changes."""
    with suppress(KeyError, AttributeError):
        spec: Any = sys.modules["fsspec.spec"]
        for kind in spec._registered_classes:
            _aside.add(kind)
        spec._registered_classes = WeakSet()


def take_up() -> None:
    """Have what this process forks reset them again, as fsspec means it to: user code may have threads. Call it in the
    process of a task, before anything of the user's."""
    with suppress(KeyError, AttributeError):
        spec: Any = sys.modules["fsspec.spec"]
        added = spec._registered_classes
        if _aside and added is not _aside:
            spec._registered_classes = _aside
            for kind in added:
                _aside.add(kind)
