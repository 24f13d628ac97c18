"""Custom roles: made, changed, deleted and listed."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import custom_roles as rules
from tradewind_platform.domain.roles import (
    ORGANIZATION,
    RETIRED,
    AirflowRole,
    BindableRole,
    Permission,
    Principal,
    Role,
)
from tradewind_platform.services import workspaces
from tradewind_platform.services.change import Change
from tradewind_platform.services.references import uuid_of
from tradewind_platform.services.role_holders import holders_of, in_words
from tradewind_platform.services.role_lookup import BUILT_IN, defined, write_definition
from tradewind_platform.store.lock_order import locked
from tradewind_platform.store.role_tables import RoleDefinition
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.people import (
    ChangeRole,
    NewRole,
    PermissionGroup,
    PermissionGroups,
    RoleMatrix,
    RoleView,
)


def create(change: Change, ask: NewRole) -> RoleView:
    """The caller must be able to give the role everywhere that it may be given. A name that a role ever had: 409."""
    change.event.target = f"role:{ask.name}"
    role = rules.CustomRole(
        ask.name,
        _permissions(ask.permissions),
        None if ask.airflow_role is None else AirflowRole(ask.airflow_role),
        _workspaces(change, ask.workspaces),
    )
    _require_definition(change, role)
    _refuse_taken(change.db, ask.name)
    row = RoleDefinition(
        name=ask.name,
        description=ask.description,
        created_at=change.now,
        created_by=change.caller.name,
        updated_at=change.now,
        updated_by=change.caller.name,
        revision=1,
    )
    write_definition(row, role)
    change.db.add(row)
    change.db.flush()
    change.event.changes = {
        "permissions": [None, row.permissions],
        "airflow_role": [None, row.airflow_role],
        "workspaces": [None, row.workspaces],
    }
    return view(row)


def update(change: Change, name: str, ask: ChangeRole) -> RoleView:
    """Change the fields that are sent: for each holder at once. The caller must be able to give the role as it was and as it is to be.
    A role that is held in a workspace which it would leave is refused with 409 and its holders there."""
    row = _for_change(change, name)
    before = defined(row)
    sent = ask.model_fields_set
    after = rules.CustomRole(
        row.name,
        _permissions(ask.permissions) if "permissions" in sent else before.permissions,
        (None if ask.airflow_role is None else AirflowRole(ask.airflow_role))
        if "airflow_role" in sent
        else before.airflow_role,
        _workspaces(change, ask.workspaces) if "workspaces" in sent else before.workspaces,
    )
    _require_definition(change, before)
    _require_definition(change, after)
    change.expect(row.revision, f"the role {row.name!r}")
    outside = [
        one for one in holders_of(change.db, row.name, now=change.now) if not after.holds_on(one.scope)
    ]
    if outside:
        raise Refused(
            Code.CONFLICT,
            f"the role {row.name!r} would leave a workspace in which it is given to {in_words(outside)}",
            remedy="Take it away from them there first.",
        )
    old = (row.description, row.permissions, row.airflow_role, row.workspaces)
    if "description" in sent:
        row.description = ask.description
    if after != before:
        write_definition(row, after)
    new = (row.description, row.permissions, row.airflow_role, row.workspaces)
    names = ("description", "permissions", "airflow_role", "workspaces")
    change.event.changes = {
        field: [was, now] for field, was, now in zip(names, old, new, strict=True) if was != now
    }
    if old != new:
        row.revision += 1
        row.updated_at, row.updated_by = change.now, change.caller.name
    return view(row)


def delete(change: Change, name: str) -> None:
    """Its name is not given again. A role that is held is refused with 409 and its holders."""
    row = _for_change(change, name)
    _require_definition(change, defined(row))
    change.expect(row.revision, f"the role {row.name!r}")
    holders = holders_of(change.db, row.name, now=change.now)
    if holders:
        raise Refused(
            Code.CONFLICT,
            f"the role {row.name!r} is given to {in_words(holders)}",
            remedy="Take it away from them first: `tradewind access unbind`, `tradewind api-tokens delete`.",
        )
    row.deleted_at, row.revision = change.now, row.revision + 1


def get(db: Session, caller: Principal, name: str) -> RoleView:
    """Of a built-in role, too."""
    return view(BUILT_IN[name] if name in BUILT_IN else _found(db, caller, name))


def matrix(db: Session, caller: Principal) -> RoleMatrix:
    """The built-in roles, and the custom ones that the caller may know of."""
    rows = list(db.scalars(select(RoleDefinition).order_by(RoleDefinition.name)))
    live = [row for row in rows if row.deleted_at is None and _knows(caller, row)]
    gone = RETIRED | {
        row.name for row in rows if row.deleted_at is not None and _may_ask_for_its_name(caller)
    }
    return RoleMatrix(
        roles=tuple(view(one) for one in (*Role, *live)),
        permissions=tuple(one.value for one in Permission),
        retired=tuple(sorted(gone)),
    )


def permission_groups() -> PermissionGroups:
    """All that a custom role may have."""
    return PermissionGroups(
        groups=tuple(
            PermissionGroup(name=name, title=title, permissions=tuple(one.value for one in permissions))
            for name, title, permissions in rules.permission_groups()
        ),
        airflow_roles=tuple(one.value for one in AirflowRole),
        always=(rules.ALWAYS.value,),
    )


def view(role: Role | RoleDefinition) -> RoleView:
    if isinstance(role, Role):
        return RoleView(**_allowed(role))
    return RoleView(
        **_allowed(defined(role)),
        custom=True,
        id=role.id,
        description=role.description,
        workspaces=None if role.workspaces is None else tuple(UUID(one) for one in role.workspaces),
        created_at=role.created_at,
        created_by=role.created_by,
        updated_at=role.updated_at,
        updated_by=role.updated_by,
        revision=role.revision,
    )


def _allowed(role: BindableRole) -> dict[str, object]:
    return {
        "name": role.value,
        "level": role.level.value,
        "permissions": tuple(sorted(one.value for one in role.permissions)),
        "airflow_role": None if role.airflow_role is None else role.airflow_role.value,
    }


def _permissions(names: Iterable[str]) -> frozenset[Permission]:
    """Raises Refused MALFORMED for one that is none, or is not about a Deployment."""
    grantable = {one.value: one for one in rules.GRANTABLE}
    asked = set(names)
    if wrong := sorted(asked - grantable.keys()):
        raise Refused(
            Code.MALFORMED,
            f"a custom role cannot have {', '.join(wrong)}",
            remedy="`tradewind roles permissions` lists what it can have.",
        )
    return frozenset(grantable[one] for one in asked) | {rules.ALWAYS}


def _workspaces(change: Change, references: tuple[str, ...] | None) -> frozenset[UUID] | None:
    if references is None:
        return None
    return workspaces.found_all(change.db, change.caller, references)


def _require_definition(change: Change, role: rules.CustomRole) -> None:
    if not rules.may_define(change.caller, role):
        where = "everywhere" if not role.workspaces else "in each of its workspaces"
        raise Refused(
            Code.NOT_PERMITTED,
            f"{change.caller.name} may not make or change the role {role.value}: that takes the right to change members, and all "
            f"that the role allows, {where} that it may be given",
            remedy="Ask an owner of the organization, or make a role of your own workspaces.",
        )


def _refuse_taken(db: Session, name: str) -> None:
    if uuid_of(name) is not None:
        raise Refused(Code.MALFORMED, f"{name!r} has the form of an id", remedy="Choose another name.")
    row = db.scalar(select(RoleDefinition).where(RoleDefinition.name == name))
    if row is not None:
        why = f"there is a role {name!r} already"
        if row.deleted_at is not None:
            why = f"a role {name!r} was deleted, and no role gets its name again"
        raise Refused(Code.CONFLICT, why, remedy="Choose another name.")


def _for_change(change: Change, name: str) -> RoleDefinition:
    change.event.target = f"role:{name}"
    if name in BUILT_IN:
        change.require(Permission.MEMBERS_UPDATE, ORGANIZATION)
        raise Refused(
            Code.CONFLICT, f"the role {name!r} is built in, and does not change", remedy="Make a custom role."
        )
    row = _found(change.db, change.caller, name)
    change.event.target = f"role:{row.name}"
    return row


def _found(db: Session, caller: Principal, name: str) -> RoleDefinition:
    statement = select(RoleDefinition).where(RoleDefinition.deleted_at.is_(None))
    id = uuid_of(name)
    statement = statement.where(RoleDefinition.id == id if id is not None else RoleDefinition.name == name)
    if db.info.get("writes"):
        statement = locked(statement)
    row = db.scalar(statement)
    if row is None or not _knows(caller, row):
        raise Refused(Code.NOT_FOUND, f"there is no role {name!r}")
    return row


def _may_ask_for_its_name(caller: Principal) -> bool:
    """Whether the caller makes roles anywhere: it would be refused the name of one that is no more."""
    return any(caller.may(Permission.MEMBERS_UPDATE, one.scope) for one in caller.bindings)


def _knows(caller: Principal, row: RoleDefinition) -> bool:
    """Whether the caller may know of it: it is for any workspace, or for one that the caller may know of."""
    role = defined(row)
    if not role.workspaces or caller.may(Permission.MEMBERS_GET, ORGANIZATION):
        return True
    return any(caller.sees_workspace(one) for one in role.workspaces)
