"""People whom an identity provider pushes by SCIM: each is a user, who is disabled when they are no longer active there.

SCIM sees and changes only the users that it has sent. An account of the platform's own is none of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import scim_patches, scim_resources
from tradewind_platform.services import (
    group_teams,
    local_accounts,
    scim_group_members,
    scim_matching,
    user_names,
    users,
)
from tradewind_platform.services.change import Change
from tradewind_platform.store.lock_order import locked
from tradewind_platform.store.scim_tables import ScimUser
from tradewind_platform.store.tables import User
from tradewind_protocol.errors import Code, Refused

_KEPT: Final = ("name", "displayName", "emails")
"""What is stored of a resource beside the columns of its row."""


def create(change: Change, sent: scim_resources.User) -> scim_resources.User:
    """A user for the person: the one who has signed in at the identity provider already, or a new one.

    Raises Refused CONFLICT for a user name that another person has.
    """
    user_name = _user_name(change, sent, of=None)
    user = scim_matching.signed_in_as(change.db, sent)
    if user is None:
        names = (user_name.partition("@")[0], sent.display_name or "")
        user = User(name=user_names.free_name(change.db, names), created_at=change.now)
        change.db.add(user)
        change.db.flush()
    change.event.target = f"user:{user.name}"
    row = change.db.scalar(locked(select(ScimUser).where(ScimUser.user_id == user.id)))
    if row is None:
        row = ScimUser(user_id=user.id, active=True, created_at=change.now)
        change.db.add(row)
    row.deleted_at = None
    _store(change, row, sent, user_name)
    change.event.changes["user_name"] = [None, user_name]
    change.event.changes |= group_teams.follow_settings(change.db, user.id, now=change.now)
    return resource(change.db, row)


def replace(change: Change, id: str, sent: scim_resources.User) -> scim_resources.User:
    """The person as the identity provider has them now. What it does not send is gone, but a missing attribute gives no access."""
    row = _for_change(change, id)
    if sent.active is None:
        sent.active = row.active
    _store(change, row, sent, _user_name(change, sent, of=row))
    return resource(change.db, row)


def patch(change: Change, id: str, body: Mapping[str, Any]) -> scim_resources.User:
    """Change what a PATCH request names."""
    row = _for_change(change, id)
    changed = resource(change.db, row)
    scim_patches.apply(changed, body)
    if changed.active is None:
        changed.active = row.active
    _store(change, row, changed, _user_name(change, changed, of=row))
    return resource(change.db, row)


def delete(change: Change, id: str) -> None:
    """The identity provider has the person no longer: the user is disabled, and in none of its groups.

    The user stays, as the audit trail names them. A person of the same subject who is sent again is the same user.
    """
    row = _for_change(change, id)
    _set_active(change, row, False)
    scim_group_members.leave_all(change.db, row.user_id)
    row.deleted_at = row.updated_at = change.now
    row.user_name_key, row.external_id, row.resource = None, None, {}
    change.db.flush()
    change.event.changes |= group_teams.follow_settings(change.db, row.user_id, now=change.now)


def get(db: Session, id: str) -> scim_resources.User:
    return resource(db, _found(db, id))


def rows(db: Session, *conditions: ColumnElement[bool]) -> list[ScimUser]:
    """Those that SCIM has sent and not deleted, the first sent first."""
    statement = select(ScimUser).where(ScimUser.deleted_at.is_(None), *conditions)
    return list(db.scalars(statement.order_by(ScimUser.created_at, ScimUser.id)))


def resource(db: Session, row: ScimUser) -> scim_resources.User:
    return resources(db, [row])[0]


def resources(db: Session, found: Sequence[ScimUser]) -> list[scim_resources.User]:
    """The people as SCIM shows them, with their groups. `active` is what the identity provider has sent."""
    groups = scim_group_members.groups_of(db, [one.user_id for one in found])
    return [
        scim_resources.User.model_validate(
            {
                "schemas": [str(scim_resources.User.__schema__)],
                **row.resource,
                "id": str(row.user_id),
                "externalId": row.external_id,
                "userName": row.user_name,
                "active": row.active,
                "groups": [
                    {"value": str(one.id), "display": one.display_name} for one in groups.get(row.user_id, ())
                ]
                or None,
                "meta": {"resourceType": "User", "created": row.created_at, "lastModified": row.updated_at},
            }
        )
        for row in found
    ]


def _store(change: Change, row: ScimUser, sent: scim_resources.User, user_name: str) -> None:
    dumped = sent.model_dump()
    before = {"user_name": row.user_name, "external_id": row.external_id, **(row.resource or {})}
    row.user_name, row.user_name_key = user_name, user_name.casefold()
    row.external_id = scim_resources.short(sent.external_id, "externalId") if sent.external_id else None
    row.resource = {key: dumped[key] for key in _KEPT if key in dumped}
    for key, value in row.resource.items():
        scim_resources.require_short(value, key)
    row.updated_at = change.now
    after = {"user_name": row.user_name, "external_id": row.external_id, **row.resource}
    # Which attributes were changed is enough for the audit trail: it keeps no address of anybody.
    changed = sorted(key for key in {**before, **after} if before.get(key) != after.get(key))
    if changed:
        change.event.changes["attributes"] = changed
    _set_active(change, row, sent.active is not False)
    change.db.flush()


def _set_active(change: Change, row: ScimUser, active: bool) -> None:
    """Disable the user once the identity provider says so, and enable them once it does again.

    A user whom an administrator has disabled stays so as long as the identity provider says nothing new.
    """
    if row.active is active:
        return
    user = change.db.get_one(User, row.user_id, with_for_update={"key_share": True})
    if not active and local_accounts.is_break_glass(change.db, user.id):
        raise Refused(
            Code.CONFLICT,
            f"{user.name} is an owner with a password of the platform's own, whom SCIM does not disable",
            remedy="Disable the user in the platform: an owner with a password is the way in when the identity provider "
            "is away.",
            scim_type="mutability",
        )
    change.event.changes |= users.set_disabled(change.db, user, not active, now=change.now)
    row.active = active


def _user_name(change: Change, sent: scim_resources.User, *, of: ScimUser | None) -> str:
    name = scim_resources.short(sent.user_name or "", "userName")
    if not name.strip():
        raise Refused(Code.MALFORMED, "userName is required", scim_type="invalidValue")
    taken = select(ScimUser.id).where(ScimUser.user_name_key == name.casefold())
    if of is not None:
        taken = taken.where(ScimUser.id != of.id)
    if change.db.scalar(taken) is not None:
        raise Refused(Code.CONFLICT, "there is a person with this userName already", scim_type="uniqueness")
    return name


def _for_change(change: Change, id: str) -> ScimUser:
    change.event.target = f"user:{id[:50]}"
    row = _found(change.db, id)
    change.event.target = f"user:{change.db.get_one(User, row.user_id).name}"
    return row


def _found(db: Session, id: str) -> ScimUser:
    try:
        key = UUID(id)
    except ValueError:
        key = None
    statement = select(ScimUser).where(ScimUser.user_id == key)
    if db.info.get("writes"):
        statement = locked(statement)
    row = None if key is None else db.scalar(statement)
    if row is None or row.deleted_at is not None:
        raise Refused(Code.NOT_FOUND, f"there is no person {id[:50]!r}")
    return row
