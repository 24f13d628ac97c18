"""When a Deployment sleeps: schedules of cron expressions in UTC, and an override that is stronger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tradewind_platform.domain.cron import moment_after, moment_before, require_cron

_MOST_MOMENTS: Final = 200
"""That are looked at for the next change: schedules that cancel each other out have none."""


@dataclass(frozen=True)
class SleepSchedule:
    """It sleeps from each moment of one expression to the next moment of the other. Raises ValueError for what is none."""

    hibernate_at_cron: str
    wake_at_cron: str
    is_enabled: bool = True

    def __post_init__(self) -> None:
        for cron in (self.hibernate_at_cron, self.wake_at_cron):
            require_cron(cron)

    def sleeps(self, now: datetime) -> bool:
        return self.is_enabled and moment_before(self.hibernate_at_cron, now) > moment_before(
            self.wake_at_cron, now
        )


@dataclass(frozen=True)
class Override:
    """Sleeps, or does not, until a moment; None: until a person says otherwise."""

    sleeps: bool
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return self.until is None or now < self.until


@dataclass(frozen=True)
class SleepPlan:
    """What decides whether a Deployment sleeps."""

    schedules: Sequence[SleepSchedule] = ()
    override: Override | None = None

    def sleeps(self, now: datetime) -> bool:
        """Whether it shall sleep at that moment: as the override says while it holds, else when a schedule says so."""
        if self.override is not None and self.override.holds(now):
            return self.override.sleeps
        return any(one.sleeps(now) for one in self.schedules)

    def next_change(self, now: datetime) -> tuple[bool, datetime] | None:
        """Whether it sleeps next, and from when on. None: it stays as it is."""
        at, before = now, self.sleeps(now)
        for _ in range(_MOST_MOMENTS):
            moments = [
                moment_after(cron, at)
                for one in self.schedules
                if one.is_enabled
                for cron in (one.hibernate_at_cron, one.wake_at_cron)
            ]
            until = self.override.until if self.override is not None else None
            if until is not None and until > at:
                moments.append(until)
            if not moments:
                return None
            at = min(moments)
            if self.sleeps(at) is not before:
                return not before, at
        return None
