"""How attempts ended, how long they waited and ran: counters and histograms, made from the table at each request.

Whatever ends an attempt (its agent, a sweep, another API server) writes the row, so nothing has to be counted where it
happens, and every API server counts all attempts of the plane.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol.states import AttemptState, OutcomeKind, ProcessEnd, process_end
from tradewind_provider.store.attempt_states import IS_CANARY
from tradewind_provider.store.tables import Attempt

RUN_SECONDS: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 24 * 3600.0)
WAIT_SECONDS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)

_OVERLAP: Final = timedelta(seconds=60)
"""Rows are committed after the moment they name, by processes whose clocks differ: what is older than this is not new."""

_LONGEST: Final = timedelta(hours=1)
"""When there was no request for longer than this, what ended before is not counted: one look reads an hour at most."""

_COUNTED: Final = (
    (ProcessEnd.EXITED, "success"),
    (ProcessEnd.EXITED, "failed"),
    (ProcessEnd.KILLED, "failed"),
    (ProcessEnd.LOST, ""),
)
"""Ends that every queue has a series of, before the first: Prometheus takes no first sample for an increase."""

QueueName = tuple[str, str]  # site, queue


@dataclass(frozen=True)
class EndedCounts:
    """An attempt that ended."""

    attempt_id: UUID
    site: str
    queue: str
    process: ProcessEnd
    task_state: str
    at: datetime
    waited: float | None  # seconds from its creation to its grant; None when it was never granted
    ran: float | None  # seconds from its grant to its end


class Histogram:
    """Observations by upper bound, as Prometheus has them."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.sum = 0.0
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        return sum(self._counts)

    def cumulative(self) -> Iterable[tuple[str, int]]:
        """Each upper bound, as a label, and how many observations are not above it."""
        below = 0
        for bound, count in zip((*self.bounds, float("inf")), self._counts, strict=True):
            below += count
            yield ("+Inf" if bound == float("inf") else f"{bound:g}"), below


@dataclass
class EndedTotals:
    """What has been counted since this process began to look."""

    ended: Counter[tuple[str, str, str, str]] = field(
        default_factory=Counter
    )  # site, queue, process, task state
    ran: dict[QueueName, Histogram] = field(default_factory=dict)
    waited: dict[QueueName, Histogram] = field(default_factory=dict)


class EndedAttempts:
    """Counts each attempt once, however often and by how many it is asked. Not safe for several threads at once."""

    def __init__(self, *, most_queues: int, other: QueueName) -> None:
        self.totals = EndedTotals()
        self._most_queues = most_queues
        self._other = other
        self._queues: set[QueueName] = set()
        self._looked_at: datetime | None = None
        self._counted: dict[UUID, datetime] = {}  # those of the overlap

    def since(self, now: datetime) -> datetime:
        """From when on rows are to be looked at."""
        return max((self._looked_at or now) - _OVERLAP, now - _LONGEST)

    def count(self, found: Iterable[EndedCounts], *, now: datetime) -> None:
        """Count what ended, but for what was counted before. The first look counts nothing: that was before."""
        first, self._looked_at = self._looked_at is None, now
        for one in found:
            if one.attempt_id in self._counted:
                continue
            self._counted[one.attempt_id] = one.at
            if not first:
                self._add(one)
        oldest = self.since(now)
        self._counted = {each: at for each, at in self._counted.items() if at >= oldest}

    def announce(self, queues: Iterable[QueueName]) -> None:
        """Have series of these queues at 0, so that a first failure is an increase."""
        for queue in queues:
            name = self._named(queue)
            for process, state in _COUNTED:
                self.totals.ended.setdefault((*name, process.value, state), 0)

    def _add(self, one: EndedCounts) -> None:
        name = site, queue = self._named((one.site, one.queue))
        self.announce([name])
        self.totals.ended[site, queue, one.process.value, one.task_state] += 1
        if one.ran is not None:
            self.totals.ran.setdefault(name, Histogram(RUN_SECONDS)).observe(one.ran)
        if one.waited is not None:
            self.totals.waited.setdefault(name, Histogram(WAIT_SECONDS)).observe(one.waited)

    def _named(self, queue: QueueName) -> QueueName:
        if queue not in self._queues:
            if len(self._queues) >= self._most_queues - 1:
                return self._other
            self._queues.add(queue)
        return queue


def find(db: Session, *, since: datetime) -> list[EndedCounts]:
    """The attempts that ended since then: one statement over an index of moments."""
    rows = db.execute(
        select(
            Attempt.id,
            Attempt.site,
            Attempt.queue,
            Attempt.outcome,
            Attempt.exit_code,
            Attempt.signal,
            Attempt.task_state,
            Attempt.created_at,
            Attempt.granted_at,
            Attempt.ended_at,
        ).where(Attempt.ended_at >= since, Attempt.state == AttemptState.FINISHED.value, ~IS_CANARY)
    )
    return [
        EndedCounts(
            attempt_id=row.id,
            site=row.site or "",
            queue=row.queue,
            process=process_end(OutcomeKind(row.outcome), exit_code=row.exit_code, signal=row.signal),
            task_state=row.task_state or "",
            at=row.ended_at,
            waited=_between(row.created_at, row.granted_at),
            ran=_between(row.granted_at, row.ended_at),
        )
        for row in rows
        if row.outcome
    ]


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
