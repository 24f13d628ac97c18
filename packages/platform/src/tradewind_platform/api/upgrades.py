"""Versions, upgrades and backups of Deployments."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Limit, Offset, Reason, Reference
from tradewind_platform.api.reads import reading
from tradewind_platform.api.resources import page
from tradewind_platform.services import backups, upgrades
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import OperationView
from tradewind_protocol.platform_life import BackupView, NewBackup, ReleaseView, RestoreBackup, Upgrade

router = APIRouter()


@router.get("/releases")
def list_releases(request: Request, limit: Limit = 100, offset: Offset = 0) -> Page[ReleaseView]:
    """Versions of Airflow that Deployments may have, the newest first."""
    with reading(request) as (db, _):
        return page(upgrades.releases(db, platform_of(request).offered), limit, offset)


@router.post("/deployments/{deployment}/upgrade", status_code=202, response_model=OperationView)
def upgrade_deployment(
    request: Request, deployment: Reference, ask: Upgrade, reason: Reason = ""
) -> Response:
    """Give it another version. A failure before it serves again is undone from the backup that is made first."""
    return changes.run(
        request,
        "deployment.upgrade" if not ask.dry_run else "deployment.preflight",
        ask,
        lambda change: upgrades.upgrade(change, deployment, ask),
        reason=reason,
        status=202,
    )


@router.get("/deployments/{deployment}/backups")
def list_backups(
    request: Request, deployment: Reference, limit: Limit = 100, offset: Offset = 0
) -> Page[BackupView]:
    """Its backups, the newest first."""
    with reading(request) as (db, caller):
        return page(backups.listed(db, caller, deployment), limit, offset)


@router.post("/deployments/{deployment}/backups", status_code=202, response_model=OperationView)
def create_backup(request: Request, deployment: Reference, ask: NewBackup, reason: Reason = "") -> Response:
    """Back up its database while it runs."""
    return changes.run(
        request,
        "backup.create",
        ask,
        lambda change: backups.create(change, deployment, ask),
        reason=reason,
        status=202,
    )


@router.post(
    "/deployments/{deployment}/backups/{backup}/restore", status_code=202, response_model=OperationView
)
def restore_backup(
    request: Request, deployment: Reference, backup: Reference, ask: RestoreBackup, reason: Reason = ""
) -> Response:
    """Put a backup in the place of its database, with the version that it had. Runs since then are forgotten; their number is
    told, and it has to be accepted."""
    return changes.run(
        request,
        "backup.restore",
        ask,
        lambda change: backups.restore(change, deployment, backup, ask),
        reason=reason,
        status=202,
    )
