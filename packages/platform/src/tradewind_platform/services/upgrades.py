"""Versions of Deployments: what is offered, and upgrades."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.catalogue import Offered
from tradewind_platform.domain.deploys import code_of
from tradewind_platform.domain.operations import Kind
from tradewind_platform.domain.roles import Permission
from tradewind_platform.services import backups, deployment_lookup, maintenance, operations, revisions
from tradewind_platform.services.change import Change
from tradewind_platform.store.tables import Cluster, Deployment
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import OperationView
from tradewind_protocol.platform_life import ReleaseView, Upgrade

VERSION = "version"


def upgrade(change: Change, reference: str, ask: Upgrade) -> OperationView:
    """To another version, with a backup before. `dry_run`: look what it would meet, and change nothing."""
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_UPGRADE)
    change.offered.require(_driver(change.db, row), ask.version)
    spec = revisions.of(change.db, row)
    before = str(spec.get(VERSION) or "")
    if before == ask.version:
        raise Refused(Code.CONFLICT, f"the Deployment {row.name!r} has the version {before} already")
    if code_of(spec).is_own:
        raise Refused(
            Code.CONFLICT,
            f"the Deployment {row.name!r} has code of its own, with Airflow {before} in it",
            remedy=f"Lock the project with Airflow {ask.version}, then: `tradewind project deploy plane --upgrade`.",
        )
    change.event.changes = {VERSION: [before, ask.version]}
    if ask.dry_run:
        return operations.begun(change, row, Kind.PREFLIGHT, arguments={VERSION: ask.version})
    maintenance.require_window(change.db, row, Kind.UPGRADE, now=change.now, anyway=ask.now)
    revisions.add(change, row, {**spec, VERSION: ask.version})
    operation = operations.begin(change.db, row, Kind.UPGRADE, by=change.caller.name, now=change.now)
    backups.begin(change.db, change.ring, row, operation, keep_days=backups.KEEP_DAYS)
    change.begun = True
    return operations.view(change.db, operation, row)


def releases(db: Session, offered: Offered) -> list[ReleaseView]:
    """The catalogue, the newest first, with the clusters that can run each."""
    clusters = [(one.name, one.driver) for one in db.scalars(select(Cluster).order_by(Cluster.name))]
    return [
        ReleaseView(
            version=release.version,
            channel=release.channel,
            clusters=tuple(name for name, driver in clusters if release in offered.of(driver)),
        )
        for release in offered.releases
    ]


def _driver(db: Session, row: Deployment) -> str:
    return db.get_one(Cluster, row.cluster_id).driver
