"""How the last canary of each queue went, for people and for sentinels."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol import operator
from tradewind_protocol.attempts import CanaryHop
from tradewind_protocol.operator import CanaryResult
from tradewind_protocol.sentinel import MOST_CANARIES, QueueCanary
from tradewind_provider.store.tables import CanaryRow


def of_queues(db: Session) -> dict[tuple[str, str], operator.CanaryView]:
    """How the last canary of each queue went, by site and queue; of those of which one has ended."""
    rows = db.scalars(select(CanaryRow).where(CanaryRow.judged_at.is_not(None)))
    return {(row.site, row.queue): _view(row, row.judged_at) for row in rows if row.judged_at is not None}


def of_site(db: Session, site: str) -> tuple[QueueCanary, ...]:
    """The same of one site, for its sentinel; those that fail first."""
    rows = db.scalars(
        select(CanaryRow)
        .where(CanaryRow.site == site, CanaryRow.judged_at.is_not(None))
        .order_by(CanaryRow.failures.desc(), CanaryRow.queue)
        .limit(MOST_CANARIES)
    )
    return tuple(
        QueueCanary(
            queue=row.queue,
            result=row.result or "",
            at=row.judged_at,
            hop=row.hop or "",
            reason=row.reason,
            remedy=row.remedy,
            agent=row.agent,
            seconds=row.seconds,
            ok_at=row.ok_at,
            failures=row.failures,
        )
        for row in rows
        if row.judged_at is not None
    )


def _view(row: CanaryRow, judged_at: datetime) -> operator.CanaryView:
    return operator.CanaryView(
        result=CanaryResult(row.result),
        at=judged_at,
        hop=CanaryHop(row.hop) if row.hop else None,
        reason=row.reason,
        remedy=row.remedy,
        rule=row.rule,
        agent=row.agent,
        seconds={CanaryHop(hop): took for hop, took in row.seconds.items()},
        ok_at=row.ok_at,
        failures=row.failures,
    )
