"""How much work of each site's queues ended lately."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, cast, extract, func, or_, select
from sqlalchemy.orm import Session

from tradewind_protocol import operator
from tradewind_protocol.states import FAILED_TASK_STATES, AttemptState, OutcomeKind
from tradewind_provider.store.attempt_states import IS_CANARY
from tradewind_provider.store.tables import Attempt

_STEP = 60


def recent(db: Session, *, minutes: int, now: datetime) -> operator.Throughput:
    """What ended in the last so many full minutes, minute by minute.

    The minute that runs is left out: it would always look like a fall.
    """
    until = now.replace(second=0, microsecond=0)
    since = until - timedelta(minutes=minutes)
    first = int(since.timestamp()) // _STEP
    finished: dict[tuple[str | None, str], list[int]] = defaultdict(lambda: [0] * minutes)
    failed: dict[tuple[str | None, str], list[int]] = defaultdict(lambda: [0] * minutes)
    minute = _minute(Attempt.ended_at)
    rows = db.execute(
        select(
            Attempt.site,
            Attempt.queue,
            minute,
            func.count(),
            func.sum(case((endings_that_failed(), 1), else_=0)),
        )
        .where(
            Attempt.ended_at >= since,
            Attempt.ended_at < until,
            Attempt.state == AttemptState.FINISHED.value,
            ~IS_CANARY,
        )
        .group_by(Attempt.site, Attempt.queue, minute)
    )
    for site, queue, ended_in, count, bad in rows:
        finished[site, queue][ended_in - first] = count
        failed[site, queue][ended_in - first] = int(bad)
    queues = tuple(
        operator.QueueThroughput(
            site=one[0], queue=one[1], finished=tuple(finished[one]), failed=tuple(failed[one])
        )
        for one in sorted(finished, key=lambda one: (one[0] or "", one[1]))
    )
    return operator.Throughput(since=since, until=until, step=_STEP, queues=queues)


def endings_that_failed() -> ColumnElement[bool]:
    """`states.failed`, of rows that have an outcome."""
    return or_(
        Attempt.outcome != OutcomeKind.SUCCEEDED.value, Attempt.task_state.in_(sorted(FAILED_TASK_STATES))
    )


def _minute(moment: Any) -> ColumnElement[int]:
    """Minutes since 1970. Taking the seconds off first keeps PostgreSQL, which rounds, and SQLite, which cuts, together."""
    start = extract("epoch", moment) - extract("second", moment)
    return cast(start, BigInteger) // _STEP
