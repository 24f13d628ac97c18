"""The organization, its people, and the principal that a user is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.api_tokens import AS_OWNER
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.roles import BindableRole, Binding, Principal, Role, Target
from tradewind_platform.services.change import Event, Origin, record
from tradewind_platform.services.role_lookup import roles_of
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import ApiToken, Organization, RoleBinding, User, Workspace
from tradewind_platform.store.team_tables import Invite, TeamMember, TeamRoleBinding
from tradewind_protocol.errors import Code, Refused

SYSTEM = Principal("system", UUID(int=0), "system", ())
"""The actor of what the platform does by itself."""
NOBODY: Final = Principal("nobody", UUID(int=0), "nobody", ())
"""The actor of what was refused before the caller was known."""

DEFAULT_WORKSPACE = "default"


def first_organization(store: Store, name: str, *, now: datetime) -> UUID:
    """The id of the installation's organization. At the first start it is made, with the workspace `default`."""
    with store.across_organizations() as db:
        existing = db.scalar(select(Organization.id).order_by(Organization.id))
        if existing is not None:
            return existing
        id = new_id()
        db.add(Organization(id=id, organization_id=id, name=name, created_at=now))
        made = {"created_at": now, "created_by": SYSTEM.name, "updated_at": now, "updated_by": SYSTEM.name}
        db.add(Workspace(organization_id=id, name=DEFAULT_WORKSPACE, **made))
        return id


def create_owner(db: Session, name: str, *, now: datetime) -> User:
    """A user who owns the organization. Raises Refused CONFLICT for a name that is taken."""
    if db.scalar(select(User.id).where(User.name == name)) is not None:
        raise Refused(Code.CONFLICT, f"there is a user {name!r} already", remedy="Choose another name.")
    made = User(name=name, created_at=now)
    db.add(made)
    db.flush()
    db.add(
        RoleBinding(
            user_id=made.id, role=Role.ORGANIZATION_OWNER.value, created_at=now, created_by=SYSTEM.name
        )
    )
    return made


def is_empty(db: Session) -> bool:
    """Whether there is no user yet."""
    return db.scalar(select(User.id).limit(1)) is None


def record_admin(db: Session, name: str, *, now: datetime, origin: Origin | None = None) -> None:
    """The audit event of an administrator who was made on the platform's machine, or by the link that it printed."""
    event = Event(f"user:{name}", changes={"role": [None, Role.ORGANIZATION_OWNER.value]})
    record(
        db,
        action="user.create",
        caller=SYSTEM,
        origin=origin or Origin(),
        event=event,
        result="done",
        now=now,
    )


def bindings_of_user(db: Session, id: UUID) -> tuple[Binding, ...]:
    """The roles of a user and of the user's teams, at this moment; nothing when the user is disabled."""
    user = db.get(User, id)
    if user is None or user.disabled_at is not None:
        return ()
    own = db.scalars(select(RoleBinding).where(RoleBinding.user_id == id))
    by_teams = db.scalars(
        select(TeamRoleBinding)
        .join(TeamMember, TeamMember.team_id == TeamRoleBinding.team_id)
        .where(TeamMember.user_id == id)
    )
    return tuple(dict.fromkeys(bindings(db, [*own, *by_teams])))


def principals(db: Session) -> dict[UUID, Principal]:
    """Every user who is not disabled, with the roles of this moment, by id: in a number of queries that does not depend on how
    many there are."""
    found: dict[UUID, list[RoleBinding | TeamRoleBinding]] = defaultdict(list)
    for own in db.scalars(select(RoleBinding)):
        found[own.user_id].append(own)
    by_teams = select(TeamMember.user_id, TeamRoleBinding).join(
        TeamRoleBinding, TeamMember.team_id == TeamRoleBinding.team_id
    )
    for user, by_team in db.execute(by_teams):
        found[user].append(by_team)
    roles = roles_of(db, {row.role for rows in found.values() for row in rows})
    return {
        id: Principal("user", id, name, tuple(dict.fromkeys(bindings_by(roles, found[id]))))
        for id, name in db.execute(select(User.id, User.name).where(User.disabled_at.is_(None)))
    }


def principal_of_user(db: Session, row: User) -> Principal:
    return Principal("user", row.id, row.name, bindings_of_user(db, row.id))


Bound = RoleBinding | TeamRoleBinding | Invite | ApiToken
"""A row that says that someone has a role on a scope."""


def bindings_of_token(
    roles: Mapping[str, BindableRole], row: ApiToken, of_owner: tuple[Binding, ...] | None
) -> tuple[Binding, ...]:
    """The one role that a token has on its scope, or those of its owner. `roles`: as `roles_of` finds them."""
    return of_owner or () if row.role == AS_OWNER else bindings_by(roles, [row])


def bindings(db: Session, rows: Iterable[Bound]) -> tuple[Binding, ...]:
    """What the rows give. One whose role is no more, or does not hold on its scope any more, gives nothing."""
    found = list(rows)
    return bindings_by(roles_of(db, {row.role for row in found}), found)


def bindings_by(roles: Mapping[str, BindableRole], rows: Iterable[Bound]) -> tuple[Binding, ...]:
    """As `bindings`, with the roles that were looked up for many rows together."""
    found = ((roles.get(row.role), scope_of(row)) for row in rows)
    return tuple(Binding(role, scope) for role, scope in found if role is not None and role.holds_on(scope))


def scope_of(row: Bound) -> Target:
    return Target(row.workspace_id, row.deployment_id)
