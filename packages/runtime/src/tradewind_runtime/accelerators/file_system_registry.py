"""What fsspec, which Airflow imports, does in each forked process: it resets every kind of file system, some twenty
classes, and each one reset is memory copied.

An attempt process manager and a supervisor use none of them. A task has no need of it before it forks itself: its locks are
free, because what it was forked from has one thread, and fsspec forgets another process's instances by their process id.
"""

from __future__ import annotations

import sys
from typing import Any
from weakref import WeakSet


class FileSystemRegistry:
    name = "file_system_registry"

    def __init__(self) -> None:
        self._aside: WeakSet[Any] = WeakSet()
        self._installed = False

    def applies(self) -> str | None:
        if not hasattr(sys.modules.get("fsspec.spec"), "_registered_classes"):
            return "this fsspec keeps its file systems elsewhere"
        return None

    def install(self) -> None:
        self._installed = True

    def renew(self) -> None:
        """Have processes forked from here on reset none of the kinds known now."""
        if not self._installed:
            return
        spec: Any = sys.modules["fsspec.spec"]
        for kind in spec._registered_classes:
            self._aside.add(kind)
        spec._registered_classes = WeakSet()

    def give_back(self) -> None:
        """Have what this process forks reset them again: user code may have threads."""
        if not self._aside:
            return
        spec: Any = sys.modules["fsspec.spec"]
        added = spec._registered_classes
        if added is not self._aside:
            spec._registered_classes = self._aside
            for kind in added:
                self._aside.add(kind)
