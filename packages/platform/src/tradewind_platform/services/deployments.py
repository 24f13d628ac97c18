"""Deployments: asked for, changed, deleted, restored and purged. What follows is done by operations."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind.embedded.plane_keys import new_keys
from tradewind_platform.domain import ids, networks
from tradewind_platform.domain.email_addresses import each_once
from tradewind_platform.domain.operations import Kind, Phase
from tradewind_platform.domain.roles import Permission, Principal, Target
from tradewind_platform.services import (
    cluster_lookup,
    clusters,
    configuration,
    deployment_credentials,
    deployment_lookup,
    deployment_views,
    operations,
    revisions,
    secrets,
    workspace_quotas,
    workspaces,
)
from tradewind_platform.services.change import Change
from tradewind_platform.services.references import found_by, uuid_of
from tradewind_platform.store.tables import Cluster, Deployment
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import (
    ChangeDeployment,
    DeploymentView,
    NewDeployment,
    OperationView,
    PurgeDeployment,
)

_SPEC: Final = ("description", "contact_emails", "policy", "size")
"""What can be changed by a change of the Deployment."""
_APPLIED: Final = ("policy", "size")
"""What its processes have to know."""


def create(change: Change, ask: NewDeployment) -> DeploymentView:
    """Write the Deployment, its secrets and the operation that makes it. Refused above the quota of its workspace."""
    db = change.db
    change.event.target = f"deployment:{ask.name}"
    workspace = workspaces.found(db, change.caller, ask.workspace)
    change.event.workspace = workspace.id
    change.require(Permission.DEPLOYMENT_CREATE, Target(workspace.id))
    cluster = cluster_lookup.chosen(db, ask.cluster, workspace, change.now)
    clusters.require_size(db, cluster, ask.size)
    version = ask.version or change.offered.newest(cluster.driver)
    if ask.version is not None:
        change.offered.require(cluster.driver, ask.version)
    _refuse_taken(db, ask.name)
    workspace_quotas.require_room(db, workspace.id)
    row = Deployment(
        slug=ids.new_deployment_slug(),
        number=(db.scalar(select(func.max(Deployment.number))) or 0) + 1,
        name=ask.name,
        live_name=ask.name,
        workspace_id=workspace.id,
        cluster_id=cluster.id,
        phase=Phase.CREATING.value,
        deletion_protection=ask.deletion_protection,
        revision=1,
        observed_revision=0,
        created_at=change.now,
        created_by=change.caller.name,
        updated_at=change.now,
        updated_by=change.caller.name,
    )
    db.add(row)
    db.flush()
    change.event.deployment = row.id
    spec = ask.model_dump(include=set(_SPEC)) | {"contact_emails": each_once(ask.contact_emails)}
    revisions.first(change, row, {**spec, "version": version})
    _add_secrets(change, row)
    deployment_credentials.add(db, change.ring, row, now=change.now)
    configuration.give_at_creation(
        change, row, ask.variables, [networks.in_cidr(one) for one in ask.allowed_addresses]
    )
    operations.begin(db, row, Kind.CREATE, by=change.caller.name, now=change.now)
    change.begun = True
    return deployment_views.view(db, row, now=change.now)


def _refuse_taken(db: Session, name: str) -> None:
    if uuid_of(name) is not None:
        raise Refused(Code.MALFORMED, f"{name!r} has the form of an id", remedy="Choose another name.")
    if found_by(db, Deployment, name, Deployment.live_name) is not None:
        raise Refused(
            Code.CONFLICT,
            f"there is a Deployment {name!r} already, or one whose data is still kept",
            remedy="Choose another name, or purge the one that was deleted.",
        )


def _add_secrets(change: Change, row: Deployment) -> None:
    """The keys of its Airflow, and the password of its database."""
    keys = new_keys()
    for name, value in {"fernet": keys.fernet, "jwt": keys.jwt, "api": keys.api}.items():
        secrets.add(change.db, change.ring, row.id, name, value)
    secrets.add(change.db, change.ring, row.id, "database_password", secrets.new_password())


def update(change: Change, reference: str, ask: ChangeDeployment) -> DeploymentView:
    """Protection changes at once; a new specification is a new revision and an operation that applies it."""
    row = deployment_lookup.for_change(change, reference, Permission.CONFIG_UPDATE)
    wanted = ask.model_dump(include=ask.model_fields_set)
    if "contact_emails" in wanted:
        wanted["contact_emails"] = each_once(ask.contact_emails)
    if "deletion_protection" in wanted:
        change.require(Permission.DEPLOYMENT_DELETE, deployment_lookup.target(row))
    kept = {"size": "", "contact_emails": [], **revisions.of(change.db, row)}
    before = {**kept, "deletion_protection": row.deletion_protection}
    change.event.changes = {
        key: [before[key], value] for key, value in wanted.items() if before[key] != value
    }
    if not change.event.changes:
        return deployment_views.view(change.db, row, now=change.now)
    if "size" in change.event.changes:
        clusters.require_size(change.db, change.db.get_one(Cluster, row.cluster_id), wanted["size"])
    row.deletion_protection = wanted.get("deletion_protection", row.deletion_protection)
    spec = {**kept, **{key: wanted.get(key, before[key]) for key in _SPEC}}
    revisions.add(change, row, spec)
    if any(spec[key] != before[key] for key in _APPLIED):
        operations.begin(change.db, row, Kind.UPDATE, by=change.caller.name, now=change.now)
        change.begun = True
    elif row.observed_revision == row.revision - 1:
        row.observed_revision = row.revision  # the driver has nothing to apply
    change.db.flush()
    return deployment_views.view(change.db, row, now=change.now)


def delete(change: Change, reference: str) -> OperationView:
    """Its processes and its route end; its data is kept for RETENTION. Refused while it is protected."""
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_DELETE)
    if row.deletion_protection:
        raise Refused(
            Code.CONFLICT,
            f"the Deployment {row.name!r} is protected from deletion",
            remedy="Take the protection away first: `tradewind deployments edit NAME --no-protect`.",
        )
    row.deleted_at = change.now
    return operations.begun(change, row, Kind.DELETE)


def restore(change: Change, reference: str) -> OperationView:
    """It runs again, with the data that it had. Refused where its workspace has as many Deployments as its quota allows."""
    workspace = workspace_quotas.lock_workspace_of(change.db, reference)
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_DELETE)
    if row.workspace_id != workspace:
        raise Refused(
            Code.CONFLICT,
            f"the Deployment {row.name!r} was moved to another workspace at the same moment",
            remedy="Read it again, and repeat the request where it is still wanted.",
        )
    if row.phase == Phase.DELETED:  # else it counts already, and to begin says why it is not restored
        workspace_quotas.require_room(change.db, row.workspace_id)
    row.deleted_at = None
    return operations.begun(change, row, Kind.RESTORE)


def purge(change: Change, reference: str, ask: PurgeDeployment) -> OperationView:
    """The end of its data: database, keys, files."""
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_DELETE)
    if ask.name != row.name:
        raise Refused(
            Code.MALFORMED, f"the name {ask.name!r} is not that of the Deployment", remedy="Repeat its name."
        )
    return operations.begun(change, row, Kind.PURGE)


def get(db: Session, caller: Principal, reference: str, *, now: datetime) -> DeploymentView:
    return deployment_views.view(db, deployment_lookup.found(db, caller, reference), now=now)


def listed(
    db: Session, caller: Principal, *, workspace: str | None = None, limit: int, offset: int, now: datetime
) -> Page[DeploymentView]:
    """A part of those that the caller may see, without those that were purged."""
    statement = select(Deployment).where(Deployment.live_name.is_not(None)).order_by(Deployment.name)
    if workspace is not None:
        wanted = workspaces.found(db, caller, workspace).id
        statement = statement.where(Deployment.workspace_id == wanted)
    rows = [
        row
        for row in db.scalars(statement)
        if caller.may(Permission.DEPLOYMENT_GET, deployment_lookup.target(row))
    ]
    shown = deployment_views.views(db, rows[offset : offset + limit], now=now)
    return Page[DeploymentView](items=tuple(shown), total=len(rows), limit=limit, offset=offset)
