"""Depth and age of what waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tradewind_provider.domain.routes import Route


@dataclass(frozen=True)
class QueueDepth:
    """What waits for one route."""

    route: Route
    count: int
    oldest: datetime

    def oldest_wait(self, now: datetime) -> float:
        """Seconds the oldest has waited."""
        return max((now - self.oldest).total_seconds(), 0.0)
