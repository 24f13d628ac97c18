"""A move of a Deployment to another workspace changes its roles and its settings, and nothing that runs."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.operations import GONE, Phase
from tradewind_platform.domain.roles import Permission, Role, Target
from tradewind_platform.services import (
    cluster_lookup,
    deployment_lookup,
    deployment_views,
    effective_configuration,
    operations,
    revisions,
    role_holders,
    workspace_quotas,
    workspaces,
)
from tradewind_platform.services.change import Change
from tradewind_platform.services.role_lookup import roles_of
from tradewind_platform.store.tables import ApiToken, Cluster, Deployment, RoleBinding, Workspace
from tradewind_platform.store.team_tables import Invite, TeamRoleBinding
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import DeploymentView, MoveDeployment

_BOUND: Final[tuple[type[Any], ...]] = (RoleBinding, TeamRoleBinding, ApiToken, Invite)
"""Tables whose rows name a Deployment together with its workspace."""


def move(change: Change, reference: str, ask: MoveDeployment) -> DeploymentView:
    """Put the Deployment into the workspace. Roles of its former workspace count no longer, those of the new one do, and roles on the
    Deployment itself stay. In the workspace already: nothing changes.

    Raises Refused NOT_FOUND for what the caller may not know of, NOT_PERMITTED unless the caller may delete the Deployment, create one
    in the workspace, and give every role that somebody has by the move; CONFLICT for one that is deleted or has an operation, for a
    cluster that the workspace may not use, for a workspace that has reached its quota, and for roles on it that are not given there.
    """
    db = change.db
    change.event.target = f"deployment:{reference}"
    # Locked before the Deployment: store/lock_order.py.
    workspace = workspaces.found(db, change.caller, ask.workspace)
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_DELETE)
    change.require(Permission.DEPLOYMENT_CREATE, Target(workspace.id))
    _require_grant_of_any_role(change, row)
    if row.workspace_id == workspace.id:
        return deployment_views.view(db, row, now=change.now)
    operations.require_idle(db, row)
    _refuse_gone(row)
    cluster = db.get_one(Cluster, row.cluster_id)
    cluster_lookup.require_usable(db, cluster, workspace, remedy="or choose another workspace")
    workspace_quotas.require_room(db, workspace.id)
    _require_roles_that_go_along(change, row, workspace)
    former = db.get_one(Workspace, row.workspace_id)
    _put(change, row, workspace)
    change.event.workspace, change.event.former_workspace = workspace.id, former.id
    change.event.changes = {"workspace": [former.name, workspace.name]}
    db.flush()
    return deployment_views.view(db, row, now=change.now)


def bind(db: Session, row: Deployment, workspace: UUID) -> None:
    """The Deployment belongs to the workspace, with the roles on the Deployment itself."""
    row.workspace_id = workspace
    for table in _BOUND:
        for bound in db.scalars(select(table).where(table.deployment_id == row.id)):
            bound.workspace_id = workspace


def _put(change: Change, row: Deployment, workspace: Workspace) -> None:
    """A new revision, which is applied already where the same settings count in both workspaces and the processes have them."""
    db = change.db
    was_applied = row.observed_revision == row.revision
    had_settings = effective_configuration.is_applied(db, row)
    before = effective_configuration.of_deployment(db, change.ring, row)
    bind(db, row, workspace.id)
    revisions.add(change, row, revisions.of(db, row))
    if not had_settings or effective_configuration.of_deployment(db, change.ring, row) != before:
        row.layers_changed_at = change.now
    elif was_applied:
        row.observed_revision = row.revision


def _require_grant_of_any_role(change: Change, row: Deployment) -> None:
    """People with a role on the new workspace get it on the Deployment: at most what an administrator of it has."""
    if not change.caller.may_grant_on(Role.DEPLOYMENT_ADMIN, deployment_lookup.target(row)):
        raise Refused(
            Code.NOT_PERMITTED,
            f"{change.caller.name} may not move the Deployment {row.name!r}: members of the new workspace get roles on it that the "
            "caller may not give",
            remedy="Ask an owner of its workspace, or an administrator of the Deployment.",
        )


def _refuse_gone(row: Deployment) -> None:
    if row.phase in GONE:
        remedies = {
            Phase.DELETED: f"Restore it first: `tradewind deployments restore {row.name}`.",
            Phase.PURGE_FAILED: f"Repeat the purge: `tradewind deployments purge {row.name}`.",
        }
        raise Refused(
            Code.CONFLICT,
            f"the Deployment {row.name!r} is {row.phase}, so it is not moved",
            remedy=remedies.get(Phase(row.phase), ""),
        )


def _require_roles_that_go_along(change: Change, row: Deployment, workspace: Workspace) -> None:
    """Roles on the Deployment itself stay, and are roles in the new workspace then."""
    holders = role_holders.on_deployment(change.db, row.id, now=change.now)
    roles = roles_of(change.db, {one.role for one in holders})
    held = [(one, roles[one.role]) for one in holders if one.role in roles]
    there = Target(workspace.id, row.id)
    outside = [one for one, role in held if not role.holds_on(there)]
    if outside:
        names = ", ".join(sorted({one.role for one in outside}))
        raise Refused(
            Code.CONFLICT,
            f"the workspace {workspace.name!r} is none of those in which {names} may be given, and it is given on the Deployment "
            f"to {role_holders.in_words(outside)}",
            remedy="Take it away from them first, or have the workspace added to the role: `tradewind roles update`.",
        )
    strange = [
        one
        for one, role in held
        if not one.personal and not change.caller.may_grant_on(role, Target(workspace.id))
    ]
    if strange:
        raise Refused(
            Code.NOT_PERMITTED,
            f"{change.caller.name} may not give roles in the workspace {workspace.name!r}, and these on the Deployment go along: "
            f"{role_holders.in_words(strange)}",
            remedy="Ask an owner of that workspace to move it, or take the roles away first.",
        )
