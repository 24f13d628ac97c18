"""The audit trail, as people read it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tradewind_protocol import operator
from tradewind_provider.services.operator.pages import PageRequest, counted
from tradewind_provider.store.tables import Event


@dataclass(frozen=True, kw_only=True)
class EventFilters:
    """Which events are asked for; None asks for all."""

    action: str | None = None  # "token_created", or "token" for everything done to tokens
    actor: str | None = None
    subject: str | None = None
    address: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def page(db: Session, filters: EventFilters, paging: PageRequest) -> operator.Page[operator.EventView]:
    """Events, the newest first."""
    conditions: list[Any] = []
    if filters.action:
        group = Event.action.startswith(f"{filters.action}_", autoescape=True)
        conditions.append(or_(Event.action == filters.action, group))
    if filters.actor:
        conditions.append(Event.actor == filters.actor)
    if filters.subject:
        conditions.append(Event.subject == filters.subject)
    if filters.address:
        conditions.append(Event.address == filters.address)
    if filters.since:
        conditions.append(Event.at >= filters.since)
    if filters.until:
        conditions.append(Event.at < filters.until)
    statement = select(Event).where(*conditions)
    rows = db.scalars(
        statement.order_by(Event.at.desc(), Event.id.desc()).limit(paging.limit).offset(paging.offset)
    )
    return operator.Page[operator.EventView](
        items=tuple(_view(row) for row in rows),
        total=counted(db, statement),
        limit=paging.limit,
        offset=paging.offset,
    )


def _view(row: Event) -> operator.EventView:
    return operator.EventView(
        id=str(row.id),
        at=row.at,
        action=row.action,
        actor=row.actor,
        subject=row.subject,
        address=row.address,
        reason=row.reason,
        detail=row.detail,
    )
