"""Workspaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.operations import Phase
from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal, Target
from tradewind_platform.services import cluster_lookup, workspace_quotas
from tradewind_platform.services.change import Change
from tradewind_platform.services.references import found_by, id_of, uuid_of
from tradewind_platform.store.tables import ApiToken, Cluster, Deployment, RoleBinding, Workspace
from tradewind_platform.store.team_tables import Invite, TeamRoleBinding
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import ChangeWorkspace, NewWorkspace, WorkspaceView


def create(change: Change, ask: NewWorkspace) -> WorkspaceView:
    change.event.target = f"workspace:{ask.name}"
    change.require(Permission.WORKSPACE_CREATE, ORGANIZATION)
    _refuse_taken(change.db, ask.name)
    made = Workspace(
        name=ask.name,
        description=ask.description,
        created_at=change.now,
        created_by=change.caller.name,
        updated_at=change.now,
        updated_by=change.caller.name,
        revision=1,
    )
    change.db.add(made)
    change.db.flush()
    change.event.workspace = made.id
    if ask.deployments_at_most is not None:
        _set_quota(change, made, ask.deployments_at_most)
    if ask.default_cluster is not None:
        _set_default_cluster(change, made, ask.default_cluster)
    return view(change.db, change.caller, made)


def update(change: Change, reference: str, ask: ChangeWorkspace) -> WorkspaceView:
    """Change the fields that are sent. A quota below what the workspace has ends nothing: it has no further Deployment until it has
    room again."""
    row = _for_change(change, reference)
    change.require(Permission.WORKSPACE_UPDATE, Target(row.id))
    change.expect(row.revision, f"the workspace {row.name!r}")
    sent = ask.model_fields_set
    if "name" in sent and ask.name != row.name:
        _refuse_taken(change.db, ask.name)
    for key in ("name", "description"):
        if key in sent and (value := getattr(ask, key)) != getattr(row, key):
            change.event.changes[key] = [getattr(row, key), value]
            setattr(row, key, value)
    if "deployments_at_most" in sent:
        _set_quota(change, row, ask.deployments_at_most)
    if "default_cluster" in sent:
        _set_default_cluster(change, row, ask.default_cluster)
    if change.event.changes:
        row.revision += 1
        row.updated_at, row.updated_by = change.now, change.caller.name
    return view(change.db, change.caller, row)


def delete(change: Change, reference: str) -> None:
    """Refused while it has Deployments. Roles and tokens on it end with it."""
    row = _for_change(change, reference)
    change.require(Permission.WORKSPACE_DELETE, Target(row.id))
    change.expect(row.revision, f"the workspace {row.name!r}")
    deployments = list(change.db.scalars(select(Deployment).where(Deployment.workspace_id == row.id)))
    if left := [one.name for one in deployments if one.phase != Phase.PURGED]:
        raise Refused(
            Code.CONFLICT,
            f"the workspace {row.name!r} has Deployments: {', '.join(sorted(left))}",
            remedy="Delete and purge them first.",
        )
    if deployments:
        raise Refused(
            Code.CONFLICT,
            f"the workspace {row.name!r} has the history of {len(deployments)} purged Deployments",
            remedy="Keep it, under another name if you like.",
        )
    for table in (RoleBinding, TeamRoleBinding, Invite):
        for binding in change.db.scalars(select(table).where(table.workspace_id == row.id)):
            change.db.delete(binding)
    for token in change.db.scalars(select(ApiToken).where(ApiToken.workspace_id == row.id)):
        token.deleted_at, token.workspace_id = token.deleted_at or change.now, None
    change.db.flush()
    change.db.delete(row)


def get(db: Session, caller: Principal, reference: str) -> WorkspaceView:
    return view(db, caller, found(db, caller, reference))


def listed(db: Session, caller: Principal) -> list[WorkspaceView]:
    """Those that the caller may know of."""
    rows = db.scalars(select(Workspace).order_by(Workspace.name))
    return _views(db, caller, [row for row in rows if caller.sees_workspace(row.id)])


def found(db: Session, caller: Principal, reference: str) -> Workspace:
    """The workspace of that name or id. Raises Refused NOT_FOUND also for one that the caller may not know of."""
    row = found_by(db, Workspace, reference, Workspace.name)
    if row is None or not caller.sees_workspace(row.id):
        raise Refused(Code.NOT_FOUND, f"there is no workspace {reference!r}")
    return row


def found_all(db: Session, caller: Principal, references: Iterable[str]) -> frozenset[UUID]:
    """The ids of the workspaces of these names or ids, which are locked for a change in the order of `store/lock_order.py`. Raises as
    `found`."""
    known = {one: id_of(db, Workspace, one, Workspace.name) for one in references}
    for reference, id in sorted(known.items(), key=lambda one: str(one[1])):
        found(db, caller, reference if id is None else str(id))
    return frozenset(id for id in known.values() if id is not None)


def view(db: Session, caller: Principal, row: Workspace) -> WorkspaceView:
    return _views(db, caller, [row])[0]


def _views(db: Session, caller: Principal, rows: Sequence[Workspace]) -> list[WorkspaceView]:
    """In a number of queries that does not depend on how many there are."""
    counted = workspace_quotas.counts(db, [row.id for row in rows])
    wanted = {row.default_cluster_id for row in rows if row.default_cluster_id is not None}
    clusters = db.scalars(select(Cluster).where(Cluster.id.in_(wanted)))
    names: dict[UUID | None, str] = {one.id: one.name for one in clusters}
    return [
        WorkspaceView(
            id=row.id,
            name=row.name,
            description=row.description,
            deployments_at_most=row.deployments_at_most,
            deployments=counted[row.id]
            if caller.may(Permission.DEPLOYMENT_GET, Target(row.id))
            else None,  # of a caller with a role on one Deployment, the others are not to be known
            default_cluster=row.default_cluster_id,
            default_cluster_name=names.get(row.default_cluster_id, ""),
            created_at=row.created_at,
            created_by=row.created_by,
            updated_at=row.updated_at,
            updated_by=row.updated_by,
            revision=row.revision,
        )
        for row in rows
    ]


def _set_quota(change: Change, row: Workspace, at_most: int | None) -> None:
    """Raises Refused NOT_PERMITTED for a caller who may not decide on quotas, as an owner of the workspace may not."""
    if at_most == row.deployments_at_most:
        return
    if not change.caller.may(Permission.ORGANIZATION_UPDATE, ORGANIZATION):
        raise Refused(
            Code.NOT_PERMITTED,
            f"{change.caller.name} may not change the quota of Deployments of the workspace {row.name!r}",
            remedy="Ask an owner of the organization.",
            permission=Permission.ORGANIZATION_UPDATE.value,
        )
    change.event.changes["deployments_at_most"] = [row.deployments_at_most, at_most]
    row.deployments_at_most = at_most


def _set_default_cluster(change: Change, row: Workspace, reference: str | None) -> None:
    """Raises Refused for a cluster that is not there, and for one that the workspace may not use."""
    cluster = None if reference is None else cluster_lookup.found(change.db, reference)
    id = None if cluster is None else cluster.id
    if id == row.default_cluster_id:
        return
    if cluster is not None:
        cluster_lookup.require_usable(change.db, cluster, row)
    before = None if row.default_cluster_id is None else change.db.get(Cluster, row.default_cluster_id)
    change.event.changes["default_cluster"] = [None if one is None else one.name for one in (before, cluster)]
    row.default_cluster_id = id


def _for_change(change: Change, reference: str) -> Workspace:
    change.event.target = f"workspace:{reference}"
    row = found(change.db, change.caller, reference)
    change.event.target, change.event.workspace = f"workspace:{row.name}", row.id
    return row


def _refuse_taken(db: Session, name: str) -> None:
    if uuid_of(name) is not None:
        raise Refused(Code.MALFORMED, f"{name!r} has the form of an id", remedy="Choose another name.")
    if db.scalar(select(func.count()).select_from(Workspace).where(Workspace.name == name)):
        raise Refused(Code.CONFLICT, f"there is a workspace {name!r} already", remedy="Choose another name.")
