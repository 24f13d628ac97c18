"""Begins what is due without a person's asking: purges, and what schedules say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.catalogue import Offered
from tradewind_platform.domain.operations import Kind, State
from tradewind_platform.domain.purges import RETENTION
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import (
    backups,
    following,
    hibernation,
    maintenance,
    operations,
    people,
    purges,
    revisions,
)
from tradewind_platform.services.change import Event, Origin, record
from tradewind_platform.services.upgrades import VERSION
from tradewind_platform.store.life_tables import Maintenance, RecurringWork
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Deployment, Operation

_AFTER_FAILURE: Final = timedelta(minutes=10)
"""So long what failed is not begun again by itself."""

_ANYTHING: Final = select(
    or_(
        purges.MAY_BE_DUE.exists(),
        hibernation.MAY_BE_DUE.exists(),
        maintenance.MAY_BE_DUE.exists(),
        following.MAY_BE_DUE.exists(),
    )
)


def may_be_due(store: Store, now: datetime) -> bool:
    """Whether anything is to be looked at closely. Asked every few seconds, and nearly always nothing is: in one query."""
    with store.looking() as db:
        return bool(db.scalar(_ANYTHING, _moments(now)))


def begin_what_is_due(db: Session, ring: KeyRing, offered: Offered, now: datetime) -> None:
    """Begin it, over all organizations."""
    for id, reason in purges.due(db, now):
        _begin(db, db.get_one(Deployment, id), Kind.PURGE, reason, now)
    for row, kind in hibernation.due(db, now):
        _begin_unless_failed(db, row, kind, "its schedule", now)
    for row, work in maintenance.due(db, now):
        _begin_recurring(db, ring, row, work, now)
    for row, one, version in following.due(db, offered, now):
        _begin_upgrade(db, ring, row, one, version, now)


def _moments(now: datetime) -> dict[str, datetime]:
    return {"now": now, "deleted_before": now - RETENTION}


def _begin_recurring(db: Session, ring: KeyRing, row: Deployment, work: RecurringWork, now: datetime) -> None:
    """Once for all moments that are over. While another operation runs it stays due."""
    if _is_busy(_last(db, row)):
        return
    maintenance.considered(work, now)
    kind = Kind(work.kind)
    if kind is Kind.BACKUP:
        made = _begin(db, row, kind, "its schedule", now)
        backups.begin(db, ring, row, made, keep_days=work.keep_days)
    else:
        arguments = maintenance.arguments_of_clean_up(now, work.keep_days)
        _begin(db, row, kind, "its schedule", now, arguments)


def _begin_upgrade(
    db: Session, ring: KeyRing, row: Deployment, one: Maintenance, version: str, now: datetime
) -> None:
    """While another operation runs it waits for the next time."""
    if _is_busy(_last(db, row)):
        return
    one.followed = version
    spec, reason = revisions.of(db, row), f"it follows {one.follows}"
    before = spec[VERSION]
    revisions.add_by(db, row, {**spec, VERSION: version}, author=people.SYSTEM.name, reason=reason, now=now)
    made = _begin(db, row, Kind.UPGRADE, reason, now, changes={VERSION: [before, version]})
    backups.begin(db, ring, row, made, keep_days=backups.KEEP_DAYS)


def _begin_unless_failed(db: Session, row: Deployment, kind: Kind, reason: str, now: datetime) -> None:
    """Not while another operation runs, and not soon after the same one has failed."""
    last = _last(db, row)
    if _is_busy(last):
        return
    if last is not None and last.state == State.FAILED and last.kind == kind.value:
        if last.ended_at is not None and now - last.ended_at < _AFTER_FAILURE:
            return
    _begin(db, row, kind, reason, now)


def _begin(
    db: Session,
    row: Deployment,
    kind: Kind,
    reason: str,
    now: datetime,
    arguments: Mapping[str, Any] | None = None,
    *,
    changes: Mapping[str, Any] | None = None,
) -> Operation:
    made = operations.begin(db, row, kind, by=people.SYSTEM.name, now=now, arguments=arguments)
    event = Event(f"deployment:{row.name}", row.workspace_id, row.id, reason, dict(changes or {}))
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
    return made


def _last(db: Session, row: Deployment) -> Operation | None:
    statement = select(Operation).where(Operation.deployment_id == row.id)
    return db.scalar(statement.order_by(Operation.id.desc()).limit(1))


def _is_busy(last: Operation | None) -> bool:
    return last is not None and last.unfinished is not None
