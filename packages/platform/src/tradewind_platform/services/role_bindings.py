"""Roles of users and teams: bound, unbound, listed and explained."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.roles import (
    ORGANIZATION,
    Binding,
    Level,
    Permission,
    Principal,
    Role,
    Target,
    permissions,
)
from tradewind_platform.services import deployment_lookup, people, teams, workspaces
from tradewind_platform.services.change import Change, require
from tradewind_platform.services.references import found_by
from tradewind_platform.services.role_lookup import of_level
from tradewind_platform.services.role_names import role_named
from tradewind_platform.store.lock_order import locked
from tradewind_platform.store.tables import Deployment, Organization, RoleBinding, User, Workspace
from tradewind_platform.store.team_tables import Team, TeamMember, TeamRoleBinding
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.people import AccessExplanation, AccessPath, BindRole, RoleBindingView


def bind(change: Change, ask: BindRole) -> RoleBindingView:
    """Give a user or a team a role. The caller must be able to give it. The same again: 409."""
    kind, name = _asked_subject(ask)
    change.event.target = f"{kind}:{name}"
    binding = asked_for(change, ask.role, ask.workspace, ask.deployment)
    require_grant(change, binding)
    subject = _subject(change.db, ask)
    change.event.target = f"{kind}:{subject.name}"
    change.event.changes = {"role": [None, binding.role.value]}
    table: Any = RoleBinding if isinstance(subject, User) else TeamRoleBinding
    column = "user_id" if isinstance(subject, User) else "team_id"
    taken = change.db.scalars(select(table).where(getattr(table, column) == subject.id))
    if binding in people.bindings(change.db, taken):
        raise Refused(Code.CONFLICT, f"the {kind} {subject.name!r} has this role there already")
    row = table(
        **{column: subject.id},
        role=binding.role.value,
        workspace_id=binding.scope.workspace,
        deployment_id=binding.scope.deployment,
        created_at=change.now,
        created_by=change.caller.name,
    )
    change.db.add(row)
    change.db.flush()
    return view(change.db, row)


def unbind(change: Change, id: UUID) -> None:
    """Take a role away. The organization keeps an owner: the last binding of that role to a person stays."""
    change.event.target = f"role-binding:{id}"
    row: Any = change.db.get(RoleBinding, id) or change.db.get(TeamRoleBinding, id)
    if row is None or not change.caller.may(Permission.MEMBERS_GET, people.scope_of(row)):
        raise Refused(Code.NOT_FOUND, f"there is no role binding {str(id)!r}")
    shown = view(change.db, row)
    change.event.target = f"{shown.kind}:{shown.subject_name}"
    change.event.workspace, change.event.deployment = row.workspace_id, row.deployment_id
    change.event.changes = {"role": [row.role, None]}
    change.require(Permission.MEMBERS_UPDATE, people.scope_of(row))
    for binding in people.bindings(change.db, [row]):
        require_grant(change, binding)
    if row.role == Role.ORGANIZATION_OWNER.value and isinstance(row, RoleBinding):
        require_another_owner(change.db, row.user_id)
    change.db.delete(row)


def require_another_owner(db: Session, user: UUID) -> None:
    """Raises Refused CONFLICT when the organization would have no owner without this user."""
    # Locked, so that two owners who go at once do not each count on the other.
    db.scalar(locked(select(Organization)))
    statement = (
        select(User.id)
        .join(RoleBinding, RoleBinding.user_id == User.id)
        .where(RoleBinding.role == Role.ORGANIZATION_OWNER.value, User.disabled_at.is_(None), User.id != user)
    )
    if db.scalar(statement.limit(1)) is None:
        raise Refused(
            Code.CONFLICT,
            "the organization would have no owner with a role of their own",
            remedy="Bind organization_owner to another user first.",
        )


def listed(
    db: Session, caller: Principal, *, user: str | None = None, team: str | None = None
) -> list[RoleBindingView]:
    """Bindings of scopes whose members the caller may read, of all, of one user or of one team."""
    if not any(caller.may(Permission.MEMBERS_GET, one.scope) for one in caller.bindings):
        require(caller, Permission.MEMBERS_GET, ORGANIZATION)
    rows: list[Any] = []
    if team is None:
        of_users = select(RoleBinding)
        if user is not None:
            of_users = of_users.where(RoleBinding.user_id == _user(db, user).id)
        rows += db.scalars(of_users.order_by(RoleBinding.id))
    if user is None:
        of_teams = select(TeamRoleBinding)
        if team is not None:
            of_teams = of_teams.where(TeamRoleBinding.team_id == teams.found(db, team).id)
        rows += db.scalars(of_teams.order_by(TeamRoleBinding.id))
    return [view(db, row) for row in rows if caller.may(Permission.MEMBERS_GET, people.scope_of(row))]


def explained(
    db: Session, caller: Principal, user: str, *, workspace: str | None = None, deployment: str | None = None
) -> AccessExplanation:
    """What a user may do on the target, and by which roles and teams."""
    target, name = ORGANIZATION, "the organization"
    if deployment is not None:
        row = deployment_lookup.found(db, caller, deployment)
        target, name = deployment_lookup.target(row), f"Deployment {row.name}"
    elif workspace is not None:
        place = workspaces.found(db, caller, workspace)
        target, name = Target(place.id), f"workspace {place.name}"
    if not caller.may(Permission.MEMBERS_GET, target):
        require(caller, Permission.MEMBERS_GET, target)
    found = _user(db, user)
    ways = [(binding, team) for binding, team in _ways(db, found.id) if binding.scope.contains(target)]
    disabled = found.disabled_at is not None
    have = () if disabled else tuple(binding for binding, _ in ways)
    principal = Principal("user", found.id, found.name, have)
    airflow = principal.airflow_role(target) if target.level is Level.DEPLOYMENT else None
    return AccessExplanation(
        user=found.name,
        target=name,
        disabled=disabled,
        paths=tuple(_path(db, binding, team) for binding, team in ways),
        permissions=tuple(sorted(one.value for one in permissions(have, target))),
        airflow_role=None if airflow is None else airflow.value,
    )


def asked_for(change: Change, role: str, workspace: str | None, deployment: str | None) -> Binding:
    """The binding that a request asks for, which is named in the event. Raises Refused MALFORMED, NOT_FOUND, or CONFLICT for a
    custom role that is another workspace's."""
    wanted = role_named(change.db, role)
    if workspace is not None and deployment is not None:
        raise Refused(Code.MALFORMED, "a role has one scope", remedy="Name a workspace or a Deployment.")
    scope = ORGANIZATION
    if deployment is not None:
        scope = deployment_lookup.target(deployment_lookup.found(change.db, change.caller, deployment))
    elif workspace is not None:
        scope = Target(workspaces.found(change.db, change.caller, workspace).id)
    change.event.workspace, change.event.deployment = scope.workspace, scope.deployment
    if wanted.level is not scope.level:
        fitting = ", ".join(of_level(change.db, scope.level))
        raise Refused(
            Code.MALFORMED,
            f"the role {role} is one of the level {wanted.level.value}, and the scope is of {scope.level.value}",
            remedy=f"The roles of this level: {fitting}.",
        )
    if not wanted.holds_on(scope):
        raise Refused(
            Code.CONFLICT,
            f"the role {role} is not given on Deployments of this workspace",
            remedy="Give another role, or have the workspace added to this one.",
        )
    return Binding(wanted, scope)


def require_grant(change: Change, binding: Binding) -> None:
    """Raises Refused NOT_PERMITTED unless the caller may give the role, and take it away."""
    if not change.caller.may_grant(binding):
        raise Refused(
            Code.NOT_PERMITTED,
            f"{change.caller.name} may not give or take the role {binding.role.value} there: it has permissions that "
            "the caller has not, or the caller may not change members",
            remedy="Ask an owner.",
        )


def view(db: Session, row: RoleBinding | TeamRoleBinding) -> RoleBindingView:
    if isinstance(row, RoleBinding):
        kind, id, name = "user", row.user_id, db.get_one(User, row.user_id).name
    else:
        kind, id, name = "team", row.team_id, db.get_one(Team, row.team_id).name
    workspace = None if row.workspace_id is None else db.get(Workspace, row.workspace_id)
    deployment = None if row.deployment_id is None else db.get(Deployment, row.deployment_id)
    return RoleBindingView(
        id=row.id,
        kind=kind,
        subject=id,
        subject_name=name,
        role=row.role,
        workspace=row.workspace_id,
        workspace_name="" if workspace is None else workspace.name,
        deployment=row.deployment_id,
        deployment_name="" if deployment is None else deployment.name,
        created_at=row.created_at,
        created_by=row.created_by,
    )


def _ways(db: Session, user: UUID) -> list[tuple[Binding, str]]:
    own = people.bindings(db, db.scalars(select(RoleBinding).where(RoleBinding.user_id == user)))
    found = [(one, "") for one in own]
    rows = db.execute(
        select(TeamRoleBinding, Team.name)
        .join(Team, Team.id == TeamRoleBinding.team_id)
        .join(TeamMember, TeamMember.team_id == Team.id)
        .where(TeamMember.user_id == user)
        .order_by(Team.name)
    )
    return found + [(binding, name) for row, name in rows for binding in people.bindings(db, [row])]


def _path(db: Session, binding: Binding, team: str) -> AccessPath:
    scope = "the organization"
    if binding.scope.deployment is not None:
        scope = f"Deployment {db.get_one(Deployment, binding.scope.deployment).name}"
    elif binding.scope.workspace is not None:
        scope = f"workspace {db.get_one(Workspace, binding.scope.workspace).name}"
    airflow = binding.role.airflow_role
    return AccessPath(
        role=binding.role.value,
        scope=scope,
        team=team,
        permissions=tuple(sorted(one.value for one in binding.role.permissions)),
        airflow_role=None if airflow is None else airflow.value,
    )


def _asked_subject(ask: BindRole) -> tuple[str, str]:
    if (ask.user is None) is (ask.team is None):
        raise Refused(Code.MALFORMED, "a role is bound to one subject", remedy="Name a user or a team.")
    return ("user", str(ask.user)) if ask.user is not None else ("team", str(ask.team))


def _subject(db: Session, ask: BindRole) -> User | Team:
    return _user(db, ask.user) if ask.user is not None else teams.found(db, str(ask.team))


def _user(db: Session, reference: str) -> User:
    row = found_by(db, User, reference, User.name)
    if row is None:
        raise Refused(Code.NOT_FOUND, f"there is no user {reference!r}")
    return row
