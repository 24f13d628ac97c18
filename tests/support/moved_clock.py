"""A clock that runs as the real one does, and that a test moves ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone


@dataclass
class MovedClock:
    """What a test does by it does not depend on the day or the hour that it runs at."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(timezone.utc) + self.ahead

    def move_to_tuesday_noon(self) -> None:
        """Go on from the next Tuesday, 12:00 UTC: hours away from what schedules of nights and weekends would begin."""
        now = self()
        day = now.replace(hour=12, minute=0, second=0, microsecond=0)
        day += timedelta(days=(1 - day.weekday()) % 7)
        self.ahead += (day if day > now else day + timedelta(days=7)) - now
