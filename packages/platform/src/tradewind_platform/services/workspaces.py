"""Workspaces."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.operations import Phase
from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal, Target
from tradewind_platform.services.change import Change
from tradewind_platform.services.references import found_by, uuid_of
from tradewind_platform.store.tables import ApiToken, Deployment, RoleBinding, Workspace
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
    return view(made)


def update(change: Change, reference: str, ask: ChangeWorkspace) -> WorkspaceView:
    row = _for_change(change, reference)
    change.require(Permission.WORKSPACE_UPDATE, Target(row.id))
    change.expect(row.revision, f"the workspace {row.name!r}")
    wanted = ask.model_dump(include=ask.model_fields_set)
    different = {key: value for key, value in wanted.items() if getattr(row, key) != value}
    if "name" in different:
        _refuse_taken(change.db, ask.name)
    for key, value in different.items():
        change.event.changes[key] = [getattr(row, key), value]
        setattr(row, key, value)
    if different:
        row.revision += 1
        row.updated_at, row.updated_by = change.now, change.caller.name
    return view(row)


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
    return view(found(db, caller, reference))


def listed(db: Session, caller: Principal) -> list[WorkspaceView]:
    """Those that the caller may know of."""
    rows = db.scalars(select(Workspace).order_by(Workspace.name))
    return [view(row) for row in rows if caller.sees_workspace(row.id)]


def found(db: Session, caller: Principal, reference: str) -> Workspace:
    """The workspace of that name or id. Raises Refused NOT_FOUND also for one that the caller may not know of."""
    row = found_by(db, Workspace, reference, Workspace.name)
    if row is None or not caller.sees_workspace(row.id):
        raise Refused(Code.NOT_FOUND, f"there is no workspace {reference!r}")
    return row


def view(row: Workspace) -> WorkspaceView:
    return WorkspaceView.model_validate(row, from_attributes=True)


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
