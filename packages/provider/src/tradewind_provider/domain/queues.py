"""Depth and age of a queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Depth:
    """What waits in one queue."""

    queue: str
    count: int
    oldest: datetime

    def oldest_wait(self, now: datetime) -> float:
        """Seconds the oldest has waited."""
        return max((now - self.oldest).total_seconds(), 0.0)
