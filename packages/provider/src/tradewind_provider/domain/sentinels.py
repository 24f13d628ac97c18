"""What follows from a sentinel's report and from its silence: pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from tradewind_protocol.sentinel import SentinelFinding

EVERY: Final = 30.0
"""Seconds between two reports, which the plane tells every sentinel."""

LOST_AFTER: Final = timedelta(seconds=3 * EVERY)
"""Three reports missed."""

FORGOTTEN_AFTER: Final = timedelta(days=7)


def is_lost(last_at: datetime, now: datetime) -> bool:
    return now - last_at >= LOST_AFTER


def changes(
    before: Iterable[SentinelFinding], after: Iterable[SentinelFinding]
) -> tuple[list[SentinelFinding], list[SentinelFinding]]:
    """What began and what ended between two reports. The same check of the same subject is the same finding."""
    was = {(one.check, one.subject): one for one in before}
    now = {(one.check, one.subject): one for one in after}
    return (
        [one for key, one in now.items() if key not in was],
        [one for key, one in was.items() if key not in now],
    )
