"""When the data of a deleted Deployment is erased, and when that is tried again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

RETENTION: Final = timedelta(days=14)
"""How long the data of a deleted Deployment is kept."""
_FIRST_PAUSE: Final = timedelta(minutes=10)
_LONGEST_PAUSE: Final = timedelta(days=1)
_MOST_DOUBLINGS: Final = 10
"""After which the pause is the longest in any case."""


def next_try(failed_at: datetime, failures: int) -> datetime:
    """When a purge that has failed so often, the last time then, begins again by itself: after ten minutes, and after each further
    failure twice as long, a day at the most."""
    pause: timedelta = _FIRST_PAUSE * 2 ** min(max(failures - 1, 0), _MOST_DOUBLINGS)
    return failed_at + min(pause, _LONGEST_PAUSE)
