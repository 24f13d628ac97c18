"""Limits how many requests a caller sends."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Final

from tradewind_platform.domain.request_rates import Bucket, RequestKind, RequestRates, after_request

_KNOWN: Final = 10_000


class RequestLimiter:
    """Counts the requests of each caller. Held in memory, for this process, of the last ten thousand buckets in use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[Hashable, RequestKind], Bucket] = OrderedDict()

    def take(
        self, caller: Hashable, kind: RequestKind, rates: RequestRates, now: datetime
    ) -> timedelta | None:
        """Count a request before it is answered. Returns how long its caller has to wait; None when it is answered."""
        per_second, key = rates.of(kind), (caller, kind)
        if per_second <= 0:
            return None
        with self._lock:
            bucket, wait = after_request(self._buckets.get(key), per_second, now)
            self._buckets[key] = bucket
            self._buckets.move_to_end(key)
            if len(self._buckets) > _KNOWN:
                self._buckets.popitem(last=False)
        return wait or None
