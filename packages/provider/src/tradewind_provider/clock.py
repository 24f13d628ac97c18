"""The wall clock. Services take `now` as an argument; only entry points (routes, loops, the executor) read it here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(timezone.utc)
