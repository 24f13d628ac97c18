"""When the platform works on a Deployment by itself: maintenance windows, and work that recurs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tradewind_platform.domain.cron import moment_after, moment_before, require_cron
from tradewind_platform.domain.operations import Kind

IN_WINDOWS: Final = frozenset({Kind.UPGRADE, Kind.CLEAN})
"""Operations that begin in a maintenance window only, where the Deployment has one."""
MOST_MINUTES: Final = 7 * 24 * 60


@dataclass(frozen=True)
class Window:
    """Opens at each moment of a cron expression, for some minutes. Raises ValueError for what is none."""

    cron: str
    minutes: int

    def __post_init__(self) -> None:
        require_cron(self.cron)
        if not 1 <= self.minutes <= MOST_MINUTES:
            raise ValueError(f"a window of {self.minutes} minutes: write 1 to {MOST_MINUTES}")

    def is_open(self, now: datetime) -> bool:
        return now < moment_before(self.cron, now) + timedelta(minutes=self.minutes)


def is_open(windows: Sequence[Window], now: datetime) -> bool:
    """Whether one of them is open. Without windows every moment is one."""
    return not windows or any(one.is_open(now) for one in windows)


def next_opening(windows: Sequence[Window], now: datetime) -> datetime | None:
    """When one of them opens next; None without windows, and while one is open."""
    if is_open(windows, now):
        return None
    return min(moment_after(one.cron, now) for one in windows)


@dataclass(frozen=True)
class Recurrence:
    """Work that is due at each moment of a cron expression. Moments until `considered_until` have been acted on: several that
    were missed are one. Raises ValueError for what is no cron expression."""

    kind: Kind
    cron: str
    considered_until: datetime

    def __post_init__(self) -> None:
        require_cron(self.cron)

    @property
    def due_at(self) -> datetime:
        """The first moment that has not been acted on."""
        return moment_after(self.cron, self.considered_until)

    def is_due(self, now: datetime, windows: Sequence[Window] = ()) -> bool:
        """Whether it shall begin now. What is due while no window is open stays due until one is."""
        return self.due_at <= now and self._may(now, windows)

    def next_begin(self, now: datetime, windows: Sequence[Window] = ()) -> datetime:
        """When it begins next, as far as the schedule and the windows decide."""
        at = max(now, self.due_at)
        if self.kind in IN_WINDOWS:
            at = next_opening(windows, at) or at
        return at

    def _may(self, now: datetime, windows: Sequence[Window]) -> bool:
        return self.kind not in IN_WINDOWS or is_open(windows, now)
