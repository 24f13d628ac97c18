"""Moments of cron expressions of five fields, in UTC."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache
from typing import Final

from croniter import croniter  # type: ignore[import-untyped]

_KNOWN: Final = 4096
"""Expressions and moments that are kept: a schedule is looked at every few seconds, and says the same until its moment comes."""


@lru_cache(_KNOWN)
def require_cron(expression: str) -> None:
    """Raises ValueError for what is no cron expression of five fields."""
    if len(expression.split()) != 5 or not croniter.is_valid(expression):
        raise ValueError(f"{expression!r} is no cron expression of five fields")


def moment_before(cron: str, now: datetime) -> datetime:
    """The last moment of the expression, `now` included."""
    at = now.astimezone(timezone.utc)
    if croniter.match(cron, at) and at.second == 0 and at.microsecond == 0:
        return at
    found: datetime = croniter(cron, at).get_prev(datetime)
    return found


@lru_cache(_KNOWN)
def moment_after(cron: str, now: datetime) -> datetime:
    """The first moment of the expression after `now`."""
    found: datetime = croniter(cron, now.astimezone(timezone.utc)).get_next(datetime)
    return found
