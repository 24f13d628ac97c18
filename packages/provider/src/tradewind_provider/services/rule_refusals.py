"""What the rules of a site's owner refused, in the audit trail."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from tradewind_provider.services import audit
from tradewind_provider.store.tables import Event

AGAIN_AFTER: Final = timedelta(hours=1)
"""How long the same refusal of what is asked for again and again is one event: of a watcher's trigger, and of a log that is open."""


def record(
    db: Session,
    action: str,
    *,
    agent: str,
    site: str,
    subject: str,
    rule: str,
    reason: str,
    now: datetime,
    **detail: str,
) -> None:
    """Write one refusal of an agent down, in the transaction of `db`."""
    audit.record(
        db,
        action=action,
        actor=f"agent:{agent}",
        subject=subject,
        reason=reason,
        now=now,
        detail={"rule": rule, "site": site, **detail},
    )


def record_once(
    db: Session,
    action: str,
    *,
    agent: str,
    site: str,
    subject: str,
    rule: str,
    reason: str,
    now: datetime,
    **detail: str,
) -> None:
    """As `record`, unless the same one was written within `AGAIN_AFTER`."""
    same = exists().where(
        Event.at > now - AGAIN_AFTER,
        Event.action == action,
        Event.subject == subject[:250],
        Event.actor == f"agent:{agent}"[:250],
    )
    if not db.scalar(select(same)):
        record(
            db, action, agent=agent, site=site, subject=subject, rule=rule, reason=reason, now=now, **detail
        )
