"""Code of a Deployment's own: kept, deployed, listed and rolled back."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import deploys as rules
from tradewind_platform.domain.deploys import Code as DeployedCode
from tradewind_platform.domain.deploys import Status
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.operations import Kind, State
from tradewind_platform.domain.roles import Permission, Principal
from tradewind_platform.services import (
    backups,
    cluster_work,
    clusters,
    deployment_lookup,
    maintenance,
    operations,
    revisions,
)
from tradewind_platform.services.change import Change
from tradewind_platform.store.deploy_tables import Deploy
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.tables import Cluster, Deployment, DeploymentRevision, Operation
from tradewind_protocol.deploys import ArchiveView, DeployView, GitFacts, NewDeploy, RollBack
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.plane_archives import PlaneArchive
from tradewind_protocol.platform import OperationView

ARCHIVES: Final = "archives"
"""The argument of an operation: the digests of the archives that stay."""


def may_deploy(db: Session, caller: Principal, reference: str) -> bool:
    """Whether it makes sense to receive what the caller sends: `keep` decides, and says why not."""
    try:
        row = deployment_lookup.found(db, caller, reference)
    except Refused:
        return False
    return caller.may(Permission.DEPLOYS_CREATE, deployment_lookup.target(row))


def keep(
    change: Change,
    archives: PlaneArchives | None,
    reference: str,
    digest: str,
    received: tuple[Path, PlaneArchive] | Refused | None,
) -> ArchiveView:
    """Keep an archive that was received, for deploys to this Deployment. Sent again, it changes nothing."""
    row = deployment_lookup.for_change(
        change, reference, operations.permission_for(Kind.DEPLOY), own_revision=False
    )
    _require_archives(change.db, row)
    if archives is None or received is None:
        raise Refused(Code.UNAVAILABLE, "this platform keeps no archives")
    if isinstance(received, Refused):
        raise received
    file, found = received
    if found.digest != digest:
        raise Refused(
            Code.MALFORMED,
            f"what was received has the digest {found.digest}, and not {digest}",
            remedy="Build it again, and send what was built.",
        )
    archives.keep(row.slug, found, file)
    change.event.changes = {"digest": digest, "airflow": found.airflow}
    return ArchiveView(digest=digest, airflow=found.airflow, python=found.python, size=found.size)


def create(change: Change, archives: PlaneArchives | None, reference: str, ask: NewDeploy) -> OperationView:
    """Begin a deploy. With `upgrade` its Airflow may be another one, and the operation is an upgrade."""
    row = deployment_lookup.for_change(change, reference, operations.permission_for(Kind.DEPLOY))
    if (ask.digest is None) is (ask.image is None):
        raise Refused(Code.MALFORMED, "a deploy has either a digest or an image")
    if ask.digest is not None:
        _require_archives(change.db, row)
        airflow = _airflow_of(archives, row, ask.digest)
        code = DeployedCode(digest=ask.digest)
    else:
        _require_images(change.db, row)
        airflow, code = ask.airflow, DeployedCode(image=ask.image or "")
    if ask.upgrade:
        change.require(Permission.DEPLOYMENT_UPGRADE, deployment_lookup.target(row))
        maintenance.require_window(change.db, row, Kind.UPGRADE, now=change.now, anyway=ask.now)
    git = {} if ask.git is None else ask.git.model_dump()
    return _begin(change, row, code, airflow, ask.description, git, upgrades=ask.upgrade)


def roll_back(change: Change, archives: PlaneArchives | None, reference: str, ask: RollBack) -> OperationView:
    """Begin a deploy of what the Deployment has had. Refused when the database is of another version by now."""
    row = deployment_lookup.for_change(change, reference, operations.permission_for(Kind.DEPLOY))
    spec, deploys = revisions.of(change.db, row), _of(change.db, row)
    now = _current(deploys, spec)
    if now is None and ask.deploy is None:
        raise Refused(Code.CONFLICT, f"the Deployment {row.name!r} has no code of its own to roll back")
    old = _before(deploys, now) if ask.deploy is None else _chosen(row, deploys, ask.deploy)
    if old is None:
        code, airflow, git = DeployedCode(), _own_version(change.db, row), dict[str, Any]()
    else:
        code, airflow, git = DeployedCode(old[0].digest, old[0].image), old[0].airflow, dict(old[0].git)
    if code.digest:
        _airflow_of(archives, row, code.digest)
    _require_same_heads(row, deploys, now, old)
    return _begin(
        change, row, code, airflow, ask.description, git, rolled_back_from=None if now is None else now.id
    )


def listed(db: Session, caller: Principal, reference: str) -> list[DeployView]:
    """The newest first."""
    row = deployment_lookup.found(db, caller, reference)
    found = _of(db, row)
    current = _current(found, _observed(db, row))
    return [
        DeployView(
            id=one.id,
            deployment=row.id,
            operation=operation.id,
            status=rules.status_of(State(operation.state)).value,
            error=operation.error,
            digest=one.digest,
            image=one.image,
            airflow=one.airflow,
            description=one.description,
            git=GitFacts(**one.git) if one.git else None,
            is_current=current is not None and one.id == current.id,
            rolled_back_from=one.rolled_back_from,
            created_at=one.created_at,
            created_by=one.created_by,
        )
        for one, operation in found
    ]


# ---- parts


def _begin(
    change: Change,
    row: Deployment,
    code: DeployedCode,
    airflow: str,
    description: str,
    git: dict[str, Any],
    *,
    upgrades: bool = False,
    rolled_back_from: UUID | None = None,
) -> OperationView:
    before = revisions.of(change.db, row)
    now, version = rules.code_of(before), str(before.get("version") or "")
    if code == now:
        raise Refused(
            Code.CONFLICT,
            f"the Deployment {row.name!r} has that code already",
            remedy="Nothing is to be done.",
        )
    if not upgrades and (why := rules.why_not_without_migration(version, airflow)):
        raise Refused(
            Code.CONFLICT,
            f"{why}: its database would have to be migrated",
            remedy="To an older one: restore a backup. To a newer one: deploy it as an upgrade, `--upgrade`.",
        )
    change.event.changes = {
        "code": [now.digest or now.image, code.digest or code.image],
        "version": [version, airflow],
    }
    id = new_id()
    revisions.add(change, row, rules.with_code(before, str(id), code, airflow))
    kept = _forget_old(change, row)
    arguments = {ARCHIVES: sorted({*kept, code.digest, now.digest} - {""})}
    kind = Kind.UPGRADE if upgrades else Kind.DEPLOY
    made = operations.begin(change.db, row, kind, by=change.caller.name, now=change.now, arguments=arguments)
    if upgrades:
        backups.begin(change.db, change.ring, row, made, keep_days=backups.KEEP_DAYS)
    change.db.add(
        Deploy(
            id=id,
            organization_id=row.organization_id,
            deployment_id=row.id,
            operation_id=made.id,
            digest=code.digest,
            image=code.image,
            airflow=airflow,
            description=description,
            git=git,
            rolled_back_from=rolled_back_from,
            created_at=change.now,
            created_by=change.caller.name,
        )
    )
    change.begun = True
    change.db.flush()
    return operations.view(change.db, made, row)


def _forget_old(change: Change, row: Deployment) -> set[str]:
    """The history that is older than it is kept goes, but for the present deploy. Returns the digests of the rest."""
    deploys = _of(change.db, row)
    current = _current(deploys, _observed(change.db, row))
    kept = set()
    for one, _ in deploys:
        if one.created_at > change.now - rules.RETENTION or (current is not None and one.id == current.id):
            kept.add(one.digest)
        else:
            change.db.delete(one)
    return kept


def _of(db: Session, row: Deployment) -> list[tuple[Deploy, Operation]]:
    """The newest first, each with its operation."""
    statement = (
        select(Deploy, Operation)
        .join(Operation, Operation.id == Deploy.operation_id)
        .where(Deploy.deployment_id == row.id)
        .order_by(Deploy.id.desc())
    )
    return [(one, operation) for one, operation in db.execute(statement)]


def _current(deploys: list[tuple[Deploy, Operation]], spec: dict[str, Any]) -> Deploy | None:
    id = (spec.get(rules.SPEC) or {}).get("id")
    return next((one for one, _ in deploys if str(one.id) == id), None)


def _before(deploys: list[tuple[Deploy, Operation]], now: Deploy | None) -> tuple[Deploy, Operation] | None:
    """The newest deploy before the present one that succeeded with other code; None for the cluster's own environment."""
    if now is None:
        return None
    return next(
        (
            (one, operation)
            for one, operation in deploys
            if one.id < now.id
            and rules.status_of(State(operation.state)) is Status.DEPLOYED
            and (one.digest, one.image) not in ((now.digest, now.image), ("", ""))
        ),
        None,
    )


def _chosen(row: Deployment, deploys: list[tuple[Deploy, Operation]], id: UUID) -> tuple[Deploy, Operation]:
    found = next((one for one in deploys if one[0].id == id), None)
    if found is None:
        raise Refused(Code.NOT_FOUND, f"the Deployment {row.name!r} has no deploy {str(id)!r}")
    if rules.status_of(State(found[1].state)) is not Status.DEPLOYED:
        raise Refused(
            Code.CONFLICT,
            f"the deploy {id} has never run",
            remedy="Choose one whose status is DEPLOYED: `tradewind project deploys list`.",
        )
    return found


def _require_same_heads(
    row: Deployment,
    deploys: list[tuple[Deploy, Operation]],
    now: Deploy | None,
    old: tuple[Deploy, Operation] | None,
) -> None:
    """Where both are known. The driver looks into the database, too, before it changes anything."""
    if now is None or old is None:
        return
    current = next(operation for one, operation in deploys if one.id == now.id)
    facts = (current.arguments.get(rules.HEADS, {}), old[1].arguments.get(rules.HEADS, {}))
    if differing := rules.differing(*facts):
        raise Refused(
            Code.CONFLICT,
            f"the database of {row.name!r} has other migrations than that code: {'; '.join(differing)}",
            remedy="Restore a backup of that time, which brings its code back, too: `tradewind deployments rollback`.",
        )


def _own_version(db: Session, row: Deployment) -> str:
    """The version of Airflow that the Deployment had without code of its own."""
    statement = (
        select(DeploymentRevision.spec)
        .where(DeploymentRevision.deployment_id == row.id)
        .order_by(DeploymentRevision.revision.desc())
    )
    specs: list[dict[str, Any]] = list(db.scalars(statement))
    return next((str(one.get("version") or "") for one in specs if not rules.code_of(one).is_own), "")


def _observed(db: Session, row: Deployment) -> dict[str, Any]:
    """The specification that was applied last."""
    found = db.scalar(
        select(DeploymentRevision.spec).where(
            DeploymentRevision.deployment_id == row.id,
            DeploymentRevision.revision == row.observed_revision,
        )
    )
    return found or {}


def _airflow_of(archives: PlaneArchives | None, row: Deployment, digest: str) -> str:
    """The version of Airflow of an archive that is kept for the Deployment. Raises Refused NOT_FOUND."""
    found = None if archives is None else archives.read(row.slug, digest)
    if found is None:
        raise Refused(
            Code.NOT_FOUND,
            f"the platform has no archive {digest} for the Deployment {row.name!r}",
            remedy="Send it first: `tradewind project deploy plane --deployment NAME`.",
        )
    return found.airflow


def _require_archives(db: Session, row: Deployment) -> None:
    """Archives are files of the platform's machine."""
    cluster = db.get_one(Cluster, row.cluster_id)
    if not clusters.has_controller(db, cluster.id):
        return
    if cluster.driver == "kubernetes":
        raise Refused(
            Code.CONFLICT,
            f"the cluster of the Deployment {row.name!r} runs images, and takes no archive",
            remedy="Push an image and deploy that: `tradewind project deploy plane --registry …`.",
        )
    raise Refused(
        Code.CONFLICT,
        f"the cluster {cluster.name!r} is a machine with a controller of its own, which takes no code",
        remedy="Install the code into the environment that its --plane-python names.",
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
