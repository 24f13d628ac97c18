"""Limits how often something that can be guessed is tried."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Final

_KNOWN: Final = 10_000


class AttemptLimiter:
    """At most so many attempts of a key in a window. Held in memory, for this process, of the last ten thousand keys."""

    def __init__(self, attempts: int, window: timedelta) -> None:
        self._attempts = attempts
        self._window = window
        self._lock = threading.Lock()
        self._tried: OrderedDict[Hashable, list[datetime]] = OrderedDict()

    def take(self, key: Hashable, now: datetime) -> timedelta | None:
        """Count an attempt before it is made. Returns how long the key has to wait; None when it may try."""
        with self._lock:
            tried = [one for one in self._tried.get(key, ()) if one + self._window > now]
            if len(tried) >= self._attempts:
                return tried[0] + self._window - now
            self._tried[key] = [*tried, now]
            self._tried.move_to_end(key)
            if len(self._tried) > _KNOWN:
                self._tried.popitem(last=False)
            return None

    def forget(self, key: Hashable) -> None:
        """Attempts of the key count no more: one of them succeeded."""
        with self._lock:
            self._tried.pop(key, None)
