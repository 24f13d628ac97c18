"""The audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from tradewind_platform.api.parameters import Limit, Offset
from tradewind_platform.api.reads import reading
from tradewind_platform.services import audit_trail
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import AuditEventView

router = APIRouter()
# One object that several parameters have as their default would have the name of the last of them.
_Text = Annotated[str | None, Query(max_length=250, pattern=r"^[^\x00]*$")]


@router.get("/audit")
def list_audit_events(
    request: Request,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    actor: _Text = None,
    action: _Text = None,
    target: _Text = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Page[AuditEventView]:
    """Changes that were made or refused, the newest first."""
    filters = _filters(since, until, actor, action, target)
    with reading(request) as (db, caller):
        return audit_trail.listed(db, caller, filters=filters, limit=limit, offset=offset)


@router.get("/audit/export", response_class=StreamingResponse)
def export_audit_events(
    request: Request,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    actor: _Text = None,
    action: _Text = None,
    target: _Text = None,
) -> StreamingResponse:
    """The same as NDJSON, the oldest first."""
    filters = _filters(since, until, actor, action, target)
    with reading(request) as (db, caller):
        audit_trail.listed(db, caller, filters=filters, limit=1, offset=0)  # refused before the answer begins

    def lines() -> Iterator[str]:
        with reading(request) as (db, caller):
            for event in audit_trail.exported(db, caller, filters=filters):
                yield event.model_dump_json() + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def _filters(
    since: datetime | None, until: datetime | None, actor: str | None, action: str | None, target: str | None
) -> dict[str, Any]:
    return {"since": since, "until": until, "actor": actor, "action": action, "target": target}
