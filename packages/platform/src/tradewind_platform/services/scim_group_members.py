"""Who is in which of the groups that SCIM has sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.store.scim_tables import ScimGroup, ScimGroupMember, ScimUser
from tradewind_platform.store.tables import User
from tradewind_protocol.errors import Code, Refused

_NAMED: Final = 500
"""So many ids a query names. Of more users, the groups of all are read."""


def groups_of(db: Session, users: Collection[UUID]) -> dict[UUID, list[ScimGroup]]:
    """The groups of each user who is in one."""
    found: dict[UUID, list[ScimGroup]] = defaultdict(list)
    statement = select(ScimGroupMember.user_id, ScimGroup).join(
        ScimGroup, ScimGroup.id == ScimGroupMember.group_id
    )
    if len(users) <= _NAMED:
        statement = statement.where(ScimGroupMember.user_id.in_(users))
    for user, group in db.execute(statement.order_by(ScimGroup.display_name)):
        found[user].append(group)
    return found


def members_of(db: Session, group: UUID) -> list[tuple[UUID, str]]:
    """The id and the user name of each member."""
    statement = select(ScimUser.user_id, ScimUser.user_name).join(
        ScimGroupMember, ScimGroupMember.user_id == ScimUser.user_id
    )
    found = db.execute(statement.where(ScimGroupMember.group_id == group).order_by(ScimUser.user_name))
    return [(user, name) for user, name in found]


def replace(db: Session, group: UUID, wanted: Iterable[str]) -> tuple[set[UUID], set[UUID]]:
    """Make the members of a group those of `wanted`, ids of people. Returns who came in, and who went.

    Raises Refused MALFORMED for an id that is of no person.
    """
    ids = _people(db, wanted)
    rows = {
        one.user_id: one
        for one in db.scalars(select(ScimGroupMember).where(ScimGroupMember.group_id == group))
    }
    added, removed = ids - rows.keys(), rows.keys() - ids
    for user in added:
        db.add(ScimGroupMember(group_id=group, user_id=user))
    for user in removed:
        db.delete(rows[user])
    db.flush()
    return added, removed


def leave_all(db: Session, user: UUID) -> None:
    for one in db.scalars(select(ScimGroupMember).where(ScimGroupMember.user_id == user)).all():
        db.delete(one)


def names(db: Session, users: Iterable[UUID]) -> list[str]:
    """The users' names in the platform."""
    return sorted(db.get_one(User, one).name for one in users)


def _people(db: Session, wanted: Iterable[str]) -> set[UUID]:
    known = {
        str(one): one for one in db.scalars(select(ScimUser.user_id).where(ScimUser.deleted_at.is_(None)))
    }
    asked = list(dict.fromkeys(wanted))
    unknown = [one for one in asked if one not in known]
    if unknown:
        raise Refused(
            Code.MALFORMED,
            f"{len(unknown)} of the members are no users that SCIM has sent; the first is {unknown[0][:50]!r}",
            remedy="Send the users first. A group cannot be a member of a group.",
            scim_type="invalidValue",
        )
    return {known[one] for one in asked}
