"""Names of roles: those that a request may give, and those of roles that are no more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import roles
from tradewind_platform.domain.roles import BindableRole, Role
from tradewind_platform.services import people
from tradewind_platform.services.change import Event, Origin, record
from tradewind_platform.services.role_lookup import roles_of
from tradewind_platform.store.role_tables import RoleDefinition
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import ApiToken, RoleBinding
from tradewind_platform.store.team_tables import Invite, TeamRoleBinding
from tradewind_protocol.errors import Code, Refused


def role_named(db: Session, text: str) -> BindableRole:
    """The role of that name. Raises Refused MALFORMED, which says of a retired name that no role has it again."""
    found = roles_of(db, [text]).get(text)
    if found is not None:
        return found
    known = ", ".join(one.value for one in Role)
    why = (
        f"the role {text!r} is no more, and no role gets its name again"
        if is_retired(db, text)
        else f"there is no role {text!r}"
    )
    raise Refused(
        Code.MALFORMED,
        why,
        remedy=f"The built-in roles: {known}. `tradewind roles list` has the custom ones, too.",
    )


def is_retired(db: Session, name: str) -> bool:
    """Whether a role of that name was taken away, which a built-in one is by a release, and a custom one by an owner."""
    if name in roles.RETIRED:
        return True
    deleted = select(RoleDefinition.id).where(
        RoleDefinition.name == name, RoleDefinition.deleted_at.is_not(None)
    )
    return db.scalar(deleted) is not None


def forget_retired(store: Store, *, now: datetime) -> int:
    """Take away what was given by the name of a role that is no more, with an audit event for each. Returns how many there were.

    Idempotent: called at each start, because a database may have been restored.
    """
    count = 0
    with store.across_organizations() as db:
        for table, forget in _FORGET.items():
            for row in db.scalars(select(table).where(table.role.in_(roles.RETIRED))).all():
                if forget(db, row, now):
                    _record(db, row, now)
                    count += 1
    return count


def _end_token(_: Session, row: ApiToken, now: datetime) -> bool:
    if row.deleted_at is not None:
        return False
    row.deleted_at = now
    return True


def _delete(db: Session, row: Any, _: datetime) -> bool:
    db.delete(row)
    return True


_FORGET: Final[dict[Any, Callable[[Session, Any, datetime], bool]]] = {
    RoleBinding: _delete,
    TeamRoleBinding: _delete,
    Invite: _delete,
    ApiToken: _end_token,
}
"""Every table with a role in it."""


def _record(db: Session, row: Any, now: datetime) -> None:
    event = Event(
        f"role:{row.role}",
        row.workspace_id,
        row.deployment_id,
        "the role is no more",
        changes={"role": [row.role, None]},
    )
    record(
        db,
        action="role.retire",
        caller=people.SYSTEM,
        origin=Origin(),
        event=event,
        result="done",
        now=now,
        organization=row.organization_id,
    )
