"""What the rules of a site's owner refused, in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from tradewind_provider.services import audit
from tradewind_provider.store.tables import Event

AGAIN_AFTER: Final = timedelta(hours=1)
"""How long the same refusal of what is asked for again and again is one event: of a watcher's trigger, and of a log that is open."""


@dataclass(frozen=True)
class RuleRefusal:
    """What an agent refused by a rule of its site's owner."""

    action: str  # of the audit event
    agent: str
    site: str
    subject: str
    rule: str
    reason: str
    detail: Mapping[str, str] = field(default_factory=dict)


def record(db: Session, refusal: RuleRefusal, *, now: datetime) -> None:
    """Write a refusal down, in the transaction of `db`."""
    audit.record(
        db,
        action=refusal.action,
        actor=f"agent:{refusal.agent}",
        subject=refusal.subject,
        reason=refusal.reason,
        now=now,
        detail={"rule": refusal.rule, "site": refusal.site, **refusal.detail},
    )


def record_once(db: Session, refusal: RuleRefusal, *, now: datetime) -> None:
    """As `record`, unless the same one was written within `AGAIN_AFTER`."""
    same = exists().where(
        Event.at > now - AGAIN_AFTER,
        Event.action == refusal.action,
        Event.subject == refusal.subject[:250],
        Event.actor == f"agent:{refusal.agent}"[:250],
    )
    if not db.scalar(select(same)):
        record(db, refusal, now=now)
