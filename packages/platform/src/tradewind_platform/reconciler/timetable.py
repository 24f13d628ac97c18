"""Begins what is due without a person's asking: purges, hibernation by schedule."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.operations import Kind, Phase, State
from tradewind_platform.services import deployment_views, hibernation, operations, people
from tradewind_platform.services.change import Event, Origin, record
from tradewind_platform.store.tables import Deployment, Operation

_AFTER_FAILURE: Final = timedelta(minutes=10)
"""So long what failed is not begun again by itself."""


def begin_what_is_due(db: Session, now: datetime) -> int:
    """Begin it, over all organizations. Returns how many operations were begun."""
    begun = 0
    over = select(Deployment).where(
        Deployment.phase == Phase.DELETED.value, Deployment.deleted_at <= now - deployment_views.RETENTION
    )
    for row in db.scalars(over).all():
        begun += _begin(db, row, Kind.PURGE, "its retention is over", now)
    for row, kind in hibernation.due(db, now):
        begun += _begin(db, row, kind, "its schedule", now)
    return begun


def _begin(db: Session, row: Deployment, kind: Kind, reason: str, now: datetime) -> bool:
    last = db.scalar(
        select(Operation).where(Operation.deployment_id == row.id).order_by(Operation.id.desc()).limit(1)
    )
    if last is not None:
        if last.unfinished is not None:
            return False
        failed = last.state == State.FAILED and last.kind == kind.value
        if failed and last.ended_at is not None and now - last.ended_at < _AFTER_FAILURE:
            return False
    operations.begin(db, row, kind, by=people.SYSTEM.name, now=now)
    event = Event(f"deployment:{row.name}", row.workspace_id, row.id, reason)
    record(
        db,
        action=f"deployment.{kind.value}",
        caller=people.SYSTEM,
        origin=Origin(),
        event=event,
        result="done",
        now=now,
        organization=row.organization_id,
    )
    return True
