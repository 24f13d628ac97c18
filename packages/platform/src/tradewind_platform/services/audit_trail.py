"""The audit trail, for those who may read it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select, true
from sqlalchemy.orm import Session

from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal
from tradewind_platform.services.change import require
from tradewind_platform.store.tables import AuditEvent
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import AuditEventView


def listed(
    db: Session, caller: Principal, *, filters: dict[str, Any], limit: int, offset: int
) -> Page[AuditEventView]:
    """The newest first. Raises Refused NOT_PERMITTED for a caller who may read no part of it."""
    where = _conditions(caller, **filters)
    total = db.scalar(select(func.count()).select_from(AuditEvent).where(*where)) or 0
    rows = db.scalars(
        select(AuditEvent).where(*where).order_by(AuditEvent.id.desc()).limit(limit).offset(offset)
    )
    return Page[AuditEventView](items=tuple(map(view, rows)), total=total, limit=limit, offset=offset)


def exported(db: Session, caller: Principal, *, filters: dict[str, Any]) -> Iterator[AuditEventView]:
    """All, the oldest first."""
    where = _conditions(caller, **filters)
    rows = db.scalars(
        select(AuditEvent).where(*where).order_by(AuditEvent.id).execution_options(yield_per=500)
    )
    return map(view, rows)


def _conditions(
    caller: Principal,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
) -> list[ColumnElement[bool]]:
    where = [_visible(caller)]
    if since is not None:
        where.append(AuditEvent.at >= since)
    if until is not None:
        where.append(AuditEvent.at < until)
    for column, value in (
        (AuditEvent.actor, actor),
        (AuditEvent.action, action),
        (AuditEvent.target, target),
    ):
        if value is not None:
            where.append(column == value)
    return where


def _visible(caller: Principal) -> ColumnElement[bool]:
    if caller.may(Permission.AUDIT_GET, ORGANIZATION):
        return true()
    scopes = [one.scope for one in caller.bindings if caller.may(Permission.AUDIT_GET, one.scope)]
    if not scopes:
        require(caller, Permission.AUDIT_GET, ORGANIZATION)
    return or_(
        false(),
        *(
            AuditEvent.deployment_id == scope.deployment
            if scope.deployment is not None
            else or_(
                AuditEvent.workspace_id == scope.workspace, AuditEvent.former_workspace_id == scope.workspace
            )
            for scope in scopes
        ),
    )


def view(row: AuditEvent) -> AuditEventView:
    return AuditEventView(
        id=row.id,
        at=row.at,
        actor=row.actor,
        actor_kind=row.actor_kind,
        action=row.action,
        target=row.target,
        workspace=row.workspace_id,
        deployment=row.deployment_id,
        result=row.result,
        reason=row.reason,
        request_id=row.request_id,
        address=row.address,
        client=row.client,
        changes=row.changes,
    )
