"""How many requests of a caller are answered: a token bucket for each kind of request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

BURST_SECONDS: Final = 10
"""After a pause, so many seconds' worth of requests are answered at once: a script asks in bursts."""


class RequestKind(str, Enum):
    """What a request does, by its method."""

    READ = "read"
    CHANGE = "change"
    DELETION = "deletion"


@dataclass(frozen=True)
class RequestRates:
    """Requests of each kind that are answered in a second. 0: all are."""

    reads: float = 25
    changes: float = 10
    deletions: float = 5

    def of(self, kind: RequestKind) -> float:
        return {
            RequestKind.READ: self.reads,
            RequestKind.CHANGE: self.changes,
            RequestKind.DELETION: self.deletions,
        }[kind]

    def times(self, factor: float) -> RequestRates:
        return RequestRates(self.reads * factor, self.changes * factor, self.deletions * factor)


UNLIMITED: Final = RequestRates(0, 0, 0)


@dataclass(frozen=True)
class Bucket:
    """What a caller has left of one kind of request, at a moment."""

    level: float
    at: datetime


def kind_of(method: str) -> RequestKind:
    """What a request with the method does. A method that is not known changes something."""
    if method in ("GET", "HEAD", "OPTIONS"):
        return RequestKind.READ
    return RequestKind.DELETION if method == "DELETE" else RequestKind.CHANGE


def after_request(bucket: Bucket | None, per_second: float, now: datetime) -> tuple[Bucket, timedelta]:
    """The bucket after one more request, and how long its caller has to wait: zero when the request is answered.

    None is the bucket of a caller that has sent nothing. A request that is not answered takes nothing. A clock that was set back
    fills no bucket, and empties none.
    """
    burst = max(per_second * BURST_SECONDS, 1.0)
    level = burst
    if bucket is not None:
        passed = max(now - bucket.at, timedelta()).total_seconds()
        level = min(burst, bucket.level + passed * per_second)
    if level >= 1:
        return Bucket(level - 1, now), timedelta()
    return Bucket(level, now), timedelta(seconds=(1 - level) / per_second)
