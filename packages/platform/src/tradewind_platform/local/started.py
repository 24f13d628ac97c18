"""Starts and stops the processes of a Deployment, and leaves one alone that ends again and again."""

from __future__ import annotations

import time
from typing import Final

from tradewind_platform.local.planes import Planes
from tradewind_platform.local.processes import Processes
from tradewind_platform.reconciler.driver import Document

_CRASHES: Final = 5
_CRASH_WINDOW: Final = 300.0
"""A process that was started so often within so many seconds is not started again at once: it is broken."""


class Started:
    """The processes of each Deployment, and when this driver started them."""

    def __init__(self, processes: Processes, planes: Planes) -> None:
        self._processes = processes
        self._planes = planes
        self._starts: dict[tuple[str, str], list[float]] = {}

    def start(self, document: Document, *, only: str = "") -> None:
        """Every process whose name begins with `only` runs at the document's revision. API servers come first."""
        self._starts = {key: value for key, value in self._starts.items() if key[0] != document.slug}
        self._run(document, patient=False, only=only)

    def keep(self, document: Document, *, only: str = "") -> None:
        """Start again what does not run, unless it ends again and again."""
        self._run(document, patient=True, only=only)

    def stop(self, document: Document) -> None:
        """End every process: the scheduler first, so that it hands out nothing that no API server serves."""
        user = self._planes.user(document)
        self._processes.stop(document.slug, user=user, only="scheduler")
        self._processes.stop(document.slug, user=user)

    def is_broken(self, document: Document) -> bool:
        return any(len(starts) >= _CRASHES for key, starts in self._starts.items() if key[0] == document.slug)

    def _run(self, document: Document, *, patient: bool, only: str) -> None:
        user = self._planes.user(document)
        for process in self._planes.plane(document).prepare():
            if not process.name.startswith(only):
                continue
            key, now = (document.slug, process.name), time.monotonic()
            recent = [at for at in self._starts.get(key, []) if now - at < _CRASH_WINDOW]
            running = self._processes.find(document.slug, process.name, user=user) is not None
            if running and patient:
                continue
            if not running:
                if patient and len(recent) >= _CRASHES:
                    continue
                self._starts[key] = [*recent, now]
            self._processes.start(document.slug, process, revision=document.revision)
