"""Begins what is due without a person's asking: purges, and what schedules say."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tradewind_platform.domain.catalogue import Offered
from tradewind_platform.domain.operations import Kind, State
from tradewind_platform.domain.purges import RETENTION
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import (
    backups,
    following,
    former_secrets,
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
from tradewind_platform.store.lock_order import locked
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Deployment, Operation

log = logging.getLogger(__name__)

_AFTER_FAILURE: Final = timedelta(minutes=10)
"""So long what failed is not begun again by itself."""

_ANYTHING: Final = select(
    or_(
        purges.MAY_BE_DUE.exists(),
        hibernation.MAY_BE_DUE.exists(),
        maintenance.MAY_BE_DUE.exists(),
        following.MAY_BE_DUE.exists(),
        former_secrets.OVER.exists(),
    )
)


def begin_what_is_due(store: Store, ring: KeyRing, offered: Offered, now: datetime) -> bool:
    """Begin it, over all organizations, and erase former secrets whose time is over. Returns whether anything was begun.

    Asked once a minute, and nearly always nothing may be due: in one query. Where something may be, it is read in a query for each
    kind of work. A transaction that writes is opened for each Deployment for which something is to be done, and for no other: on
    SQLite all other writers wait for it. What fails to begin keeps no other Deployment waiting.
    """
    with store.looking() as look:
        if not look.scalar(_ANYTHING, _moments(now)):
            return False
        are_over = bool(look.scalar(select(former_secrets.OVER.exists()), _moments(now)))
    if are_over:
        with store.across_organizations() as db:
            former_secrets.erase_those_over(db, now)
    begun = False
    for id in _deployments(store, offered, now):
        try:
            with store.across_organizations() as db:
                row = db.scalar(locked(select(Deployment).where(Deployment.id == id)))
                begun = (row is not None and _begin_for(db, ring, offered, row, now)) or begun
        except SQLAlchemyError:
            raise  # the database is away from all of them
        except Exception:
            log.exception(
                "scheduled operations of the Deployment %s were not started",
                id,
                extra={"action": "due_failed"},
            )
    return begun


def _deployments(store: Store, offered: Offered, now: datetime) -> Sequence[UUID]:
    """Those for which something is to be begun or written down."""
    with store.reading_all() as db:
        found = [
            *(id for id, _ in purges.due(db, now)),
            *(one.deployment for one in _sleep_due(db, now)),
            *(one.deployment for one in maintenance.due(db, now)),
            *(one.deployment for one in following.due(db, offered, now)),
        ]
    return tuple(dict.fromkeys(found))


def _begin_for(db: Session, ring: KeyRing, offered: Offered, row: Deployment, now: datetime) -> bool:
    """Whether something was begun. The Deployment is locked: what was due when it was read may have been done since, and what begins
    first keeps the rest waiting."""
    begun = False
    for _, reason in purges.due(db, now, only=row.id):
        _begin(db, row, Kind.PURGE, reason, now)
        begun = True
    for sleep in _sleep_due(db, now, only=row.id):
        hibernation.write_down_next(db, sleep, now)
        if sleep.kind is not None:
            _begin(db, row, sleep.kind, "its schedule", now)
            begun = True
    for work in maintenance.due(db, now, only=row.id):
        maintenance.write_down_due(db, work)
        if work.begins and not _is_busy(db, row):
            _begin_recurring(db, ring, row, db.get_one(RecurringWork, work.work), now)
            begun = True
    for upgrade in following.due(db, offered, now, only=row.id):
        _begin_upgrade(db, ring, row, db.get_one(Maintenance, upgrade.maintenance), upgrade.version, now)
        begun = True
    return begun


def _sleep_due(db: Session, now: datetime, *, only: UUID | None = None) -> list[hibernation.Due]:
    """Not what has failed a moment ago."""
    found = hibernation.due(db, now, only=only)
    return [one for one in found if one.kind is None or not _failed_lately(db, one.deployment, one.kind, now)]


def _moments(now: datetime) -> dict[str, datetime]:
    return {"now": now, "deleted_before": now - RETENTION}


def _begin_recurring(db: Session, ring: KeyRing, row: Deployment, work: RecurringWork, now: datetime) -> None:
    """Once for all moments that are over."""
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
    one.followed = version
    spec, reason = revisions.of(db, row), f"it follows {one.follows}"
    before = spec[VERSION]
    revisions.add_by(db, row, {**spec, VERSION: version}, author=people.SYSTEM.name, reason=reason, now=now)
    made = _begin(db, row, Kind.UPGRADE, reason, now, changes={VERSION: [before, version]})
    backups.begin(db, ring, row, made, keep_days=backups.KEEP_DAYS)


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


def _failed_lately(db: Session, deployment: UUID, kind: Kind, now: datetime) -> bool:
    """Whether the last operation of the Deployment was one of this kind, and failed a moment ago."""
    statement = select(Operation).where(Operation.deployment_id == deployment)
    last = db.scalar(statement.order_by(Operation.id.desc()).limit(1))
    return (
        last is not None
        and (last.state, last.kind) == (State.FAILED.value, kind.value)
        and last.ended_at is not None
        and now - last.ended_at < _AFTER_FAILURE
    )


def _is_busy(db: Session, row: Deployment) -> bool:
    return db.scalar(select(Operation.id).where(Operation.unfinished == row.id)) is not None
