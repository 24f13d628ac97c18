"""Which Deployments a thread works on: one at a time for each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID


@dataclass
class Claims:
    """Used by several threads."""

    _taken: set[UUID] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, deployment: UUID) -> bool:
        """Whether no thread has the Deployment; the caller has it then, until it is given back."""
        with self._lock:
            if deployment in self._taken:
                return False
            self._taken.add(deployment)
            return True

    def give_back(self, deployment: UUID) -> None:
        """Only by the thread that has taken it."""
        with self._lock:
            self._taken.remove(deployment)

    @contextmanager
    def alone_with(self, deployment: UUID) -> Iterator[bool]:
        """Whether the Deployment was taken; it is given back at the end."""
        alone = self.take(deployment)
        try:
            yield alone
        finally:
            if alone:
                self.give_back(deployment)
