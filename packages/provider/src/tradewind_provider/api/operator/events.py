"""The audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from tradewind_protocol import errors, operator
from tradewind_provider.api import transactions
from tradewind_provider.api.operator.access import Auditor, Filter, Part
from tradewind_provider.services.operator import events

router = APIRouter(prefix="/events", tags=["Events"])


@router.get("", summary="List audit events")
def list_(
    caller: Auditor,
    part: Part,
    action: Annotated[Filter, Query(description="token_created, or token for all about tokens.")] = None,
    actor: Filter = None,
    subject: Filter = None,
    address: Annotated[Filter, Query(description="Only from this address.")] = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> operator.Page[operator.EventView]:
    """Each change with its user or agent, time and reason; the newest first."""
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and moment.tzinfo is None:
            raise errors.Refused(
                errors.Code.MALFORMED, f"{name} has no time zone", remedy="Write 2026-01-31T12:00:00Z."
            )
    filters = events.EventFilters(
        action=action, actor=actor, subject=subject, address=address, since=since, until=until
    )
    return transactions.in_transaction(lambda db: events.page(db, filters, part))
