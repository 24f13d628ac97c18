"""Backups of the database of a Deployment: asked for, listed, restored, and forgotten when their time is over."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import deploys
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.operations import Kind, State
from tradewind_platform.domain.roles import Permission, Principal
from tradewind_platform.security import streams
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import deployment_lookup, operations, revisions
from tradewind_platform.services.change import Change, require
from tradewind_platform.services.references import uuid_of
from tradewind_platform.store.life_tables import Backup
from tradewind_platform.store.tables import Deployment, Operation
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import OperationView
from tradewind_protocol.platform_life import BackupView, NewBackup, RestoreBackup

KEEP_DAYS: Final = 30
"""How long a backup is kept where nothing else is asked for."""
KEPT: Final = "kept"
"""The argument of a backup's operation: the ids of the backups that stay."""
BACKUP: Final = "backup"
MADE_AT: Final = "made_at"
ACCEPT_LOSS: Final = "accept_loss"


def create(change: Change, reference: str, ask: NewBackup) -> OperationView:
    """A backup of the database as it is. Those whose time is over are erased afterwards."""
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_UPGRADE)
    operation = operations.begin(change.db, row, Kind.BACKUP, by=change.caller.name, now=change.now)
    begin(change.db, change.ring, row, operation, keep_days=ask.keep_days)
    change.begun = True
    return operations.view(change.db, operation, row)


def begin(db: Session, ring: KeyRing, row: Deployment, operation: Operation, *, keep_days: int) -> None:
    """The row of the backup that the operation makes, with a key of its own."""
    now = operation.created_at
    for over in db.scalars(select(Backup).where(Backup.deployment_id == row.id, Backup.keep_until < now)):
        db.delete(over)
    id = new_id()
    key = base64.b64encode(streams.new_key()).decode()
    made = Backup(
        id=id,
        organization_id=row.organization_id,
        deployment_id=row.id,
        operation_id=operation.id,
        state=State.PENDING.value,
        version="",
        facts={},
        key=ring.encrypt(key, row=row_of(Backup, id, "key")),
        created_at=now,
        created_by=operation.created_by,
        keep_until=now + timedelta(days=keep_days),
    )
    db.add(made)
    db.flush()
    kept = db.scalars(select(Backup.id).where(Backup.deployment_id == row.id)).all()
    operation.arguments = {**operation.arguments, KEPT: sorted(map(str, kept))}


def restore(change: Change, reference: str, backup: str, ask: RestoreBackup) -> OperationView:
    """The database, the version of Airflow and the code, as they were when it was made. What began since is forgotten."""
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_UPGRADE)
    found = _found(change.db, row, backup)
    if found.state != State.SUCCEEDED or found.ended_at is None:
        raise Refused(
            Code.CONFLICT, f"the backup {found.id} is {found.state}, and there is nothing to restore"
        )
    change.event.changes = {"backup": str(found.id), "accept_loss": ask.accept_loss}
    spec = revisions.of(change.db, row)
    if (wanted := deploys.restored(spec, found.facts)) != spec or found.facts.get("version"):
        revisions.add(change, row, wanted)
    arguments = {
        BACKUP: str(found.id),
        MADE_AT: found.created_at.isoformat(),
        ACCEPT_LOSS: ask.accept_loss,
    }
    return operations.begun(change, row, Kind.ROLLBACK, arguments=arguments)


def listed(db: Session, caller: Principal, reference: str) -> list[BackupView]:
    """The newest first."""
    row = deployment_lookup.found(db, caller, reference)
    require(caller, Permission.CONFIG_GET, deployment_lookup.target(row))
    found = select(Backup).where(Backup.deployment_id == row.id).order_by(Backup.id.desc())
    return [_view(one) for one in db.scalars(found)]


def last_success(db: Session, deployment: UUID) -> datetime | None:
    """When the newest whole backup was made."""
    statement = select(Backup.created_at).where(
        Backup.deployment_id == deployment, Backup.state == State.SUCCEEDED.value
    )
    return db.scalar(statement.order_by(Backup.id.desc()).limit(1))


def _view(row: Backup) -> BackupView:
    return BackupView(
        id=row.id,
        deployment=row.deployment_id,
        operation=row.operation_id,
        state=row.state,
        version=str(row.facts.get("version", "")),
        size=int(row.facts.get("size", 0)),
        heads={str(key): str(value) for key, value in row.facts.get("heads", {}).items()},
        created_at=row.created_at,
        created_by=row.created_by,
        keep_until=row.keep_until,
    )


def _found(db: Session, row: Deployment, reference: str) -> Backup:
    id = uuid_of(reference)
    found = None if id is None else db.get(Backup, id)
    if found is None or found.deployment_id != row.id:
        raise Refused(Code.NOT_FOUND, f"the Deployment {row.name!r} has no backup {reference!r}")
    return found
