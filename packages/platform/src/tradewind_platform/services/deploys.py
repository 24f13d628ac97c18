"""Deploys of code of a Deployment's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from tradewind_platform.domain import deploys as rules
from tradewind_platform.domain.deploys import Code as DeployedCode
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.operations import Kind
from tradewind_platform.domain.roles import Permission
from tradewind_platform.services import (
    backups,
    cluster_work,
    clusters,
    code_archives,
    deploy_history,
    deployment_lookup,
    maintenance,
    operations,
    revisions,
)
from tradewind_platform.services.change import Change
from tradewind_platform.store.deploy_tables import Deploy
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.tables import Cluster, Deployment
from tradewind_protocol.deploys import NewDeploy
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import OperationView

ARCHIVES: Final = "archives"
"""The argument of an operation: the digests of the archives that stay."""


@dataclass(frozen=True)
class NewCode:
    """The code that a deploy gives a Deployment, and what its history says of it."""

    code: DeployedCode
    airflow: str
    description: str
    git: dict[str, Any]


def create(change: Change, archives: PlaneArchives | None, reference: str, ask: NewDeploy) -> OperationView:
    """Begin a deploy. With `upgrade` its Airflow may be another one, and the operation is an upgrade."""
    row = deployment_lookup.for_change(change, reference, operations.permission_for(Kind.DEPLOY))
    if (ask.digest is None) is (ask.image is None):
        raise Refused(Code.MALFORMED, "a deploy has either a digest or an image")
    if ask.digest is not None:
        code_archives.require_archives(change.db, row)
        airflow = code_archives.airflow_of(archives, row, ask.digest)
        code = DeployedCode(digest=ask.digest)
    else:
        _require_images(change.db, row)
        airflow, code = ask.airflow, DeployedCode(image=ask.image or "")
    if ask.upgrade:
        change.require(Permission.DEPLOYMENT_UPGRADE, deployment_lookup.target(row))
        maintenance.require_window(change.db, row, Kind.UPGRADE, now=change.now, anyway=ask.now)
    git = {} if ask.git is None else ask.git.model_dump()
    return begin(change, row, NewCode(code, airflow, ask.description, git), upgrades=ask.upgrade)


def begin(
    change: Change,
    row: Deployment,
    new: NewCode,
    *,
    upgrades: bool = False,
    rolled_back_from: UUID | None = None,
) -> OperationView:
    """Begin the operation that gives the Deployment the code, as a new revision of its specification.

    Raises Refused CONFLICT for code that it has, and, unless the operation `upgrades`, for code whose Airflow needs other tables.
    """
    before = revisions.of(change.db, row)
    present, version = rules.code_of(before), str(before.get("version") or "")
    _refuse_unfit(row, new, present, version, upgrades=upgrades)
    change.event.changes = {
        "code": [present.digest or present.image, new.code.digest or new.code.image],
        "version": [version, new.airflow],
    }
    id = new_id()
    revisions.add(change, row, rules.with_code(before, str(id), new.code, new.airflow))
    kept = deploy_history.forget_old(change, row)
    arguments = {ARCHIVES: sorted({*kept, new.code.digest, present.digest} - {""})}
    kind = Kind.UPGRADE if upgrades else Kind.DEPLOY
    operation = operations.begin(
        change.db, row, kind, by=change.caller.name, now=change.now, arguments=arguments
    )
    if upgrades:
        backups.begin(change.db, change.ring, row, operation, keep_days=backups.KEEP_DAYS)
    change.db.add(
        Deploy(
            id=id,
            organization_id=row.organization_id,
            deployment_id=row.id,
            operation_id=operation.id,
            digest=new.code.digest,
            image=new.code.image,
            airflow=new.airflow,
            description=new.description,
            git=new.git,
            rolled_back_from=rolled_back_from,
            created_at=change.now,
            created_by=change.caller.name,
        )
    )
    change.begun = True
    change.db.flush()
    return operations.view(change.db, operation, row)


def _refuse_unfit(
    row: Deployment, new: NewCode, present: DeployedCode, version: str, *, upgrades: bool
) -> None:
    if new.code == present:
        raise Refused(
            Code.CONFLICT,
            f"the Deployment {row.name!r} has that code already",
            remedy="Nothing is to be done.",
        )
    if not upgrades and (why := rules.why_not_without_migration(version, new.airflow)):
        raise Refused(
            Code.CONFLICT,
            f"{why}: its database would have to be migrated",
            remedy="To an older one: restore a backup. To a newer one: deploy it as an upgrade, `--upgrade`.",
        )


def _require_images(db: Session, row: Deployment) -> None:
    cluster = db.get_one(Cluster, row.cluster_id)
    if not clusters.has_controller(db, cluster.id) or cluster.driver != "kubernetes":
        raise Refused(
            Code.CONFLICT,
            f"the cluster of the Deployment {row.name!r} runs no images",
            remedy="Deploy the project's own files: `tradewind project deploy plane` without --registry.",
        )
    known = cluster_work.controller(db, cluster.id).steps
    if known and Kind.DEPLOY.value not in known:
        raise Refused(
            Code.CONFLICT,
            f"the controller of the cluster {cluster.name!r} is too old for deploys",
            remedy="Upgrade its chart.",
        )
