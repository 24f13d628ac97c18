"""Hours of a week: `Mon-Fri 06:00-20:00`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WHOLE: Final = re.compile(
    r"(?:(?P<first>[A-Za-z]{3})(?:-(?P<last>[A-Za-z]{3}))?\s+)?(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)"
)


@dataclass(frozen=True)
class Hours:
    """One window. An end before the start is on the next day; `00:00-24:00` is the whole day."""

    days: frozenset[int]  # on which the window begins; Monday is 0
    start: int  # minutes after midnight
    end: int

    @classmethod
    def parse(cls, text: str) -> Hours:
        """Raises ValueError, which says what is wrong with the text."""
        match = _WHOLE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not of the form 'Mon-Fri 06:00-20:00' or '22:00-04:00'")
        first = _day(match["first"]) if match["first"] else 0
        last = _day(match["last"]) if match["last"] else (first if match["first"] else 6)
        days = range(first, last + 1 if last >= first else last + 8)
        start, end = _minutes(match["start"]), _minutes(match["end"])
        if start == end or start == 24 * 60:
            raise ValueError(f"{text!r} is a window without a minute in it; the whole day is 00:00-24:00")
        return cls(frozenset(day % 7 for day in days), start, end)

    def hold(self, at: datetime) -> bool:
        """Whether the local time `at` is inside."""
        minute, day = at.hour * 60 + at.minute, at.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        begins_today = day in self.days and minute >= self.start
        began_yesterday = (day - 1) % 7 in self.days and minute < self.end
        return begins_today or began_yesterday


def _day(text: str) -> int:
    try:
        return _DAYS.index(text.lower())
    except ValueError:
        raise ValueError(f"{text!r} is no day of the week; they are {', '.join(_DAYS).title()}") from None


def _minutes(text: str) -> int:
    hours, minutes = map(int, text.split(":"))
    if hours > 24 or minutes > 59 or (hours == 24 and minutes):
        raise ValueError(f"{text!r} is no time of day")
    return hours * 60 + minutes
