"""Groups that an identity provider pushes by SCIM. Which teams they stand for is a setting of the sign-in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import scim_patches, scim_resources
from tradewind_platform.services import group_teams, scim_group_members
from tradewind_platform.services.change import Change
from tradewind_platform.store.scim_tables import ScimGroup
from tradewind_protocol.errors import Code, Refused


def create(change: Change, sent: scim_resources.Group) -> scim_resources.Group:
    row = ScimGroup(created_at=change.now)
    _store(change, row, sent)
    return resource(change.db, row)


def replace(change: Change, id: str, sent: scim_resources.Group) -> scim_resources.Group:
    """The group as the identity provider has it now. What it does not send is gone, members too."""
    row = _for_change(change, id)
    _store(change, row, sent)
    return resource(change.db, row)


def patch(change: Change, id: str, body: Mapping[str, Any]) -> scim_resources.Group:
    """Change what a PATCH request names."""
    row = _for_change(change, id)
    edits = scim_patches.member_changes(body)
    if edits is not None:
        members = {str(user) for user, _ in scim_group_members.members_of(change.db, row.id)}
        for adds, ids in edits:
            members = members.union(ids) if adds else members.difference(ids)
        row.updated_at = change.now
        _followed(change, _set_members(change, row, members))
        return resource(change.db, row)
    changed = resource(change.db, row)
    scim_patches.apply(changed, body)
    _store(change, row, changed)
    return resource(change.db, row)


def delete(change: Change, id: str) -> None:
    """Its members leave the teams that it alone stood for."""
    row = _for_change(change, id)
    _, removed = scim_group_members.replace(change.db, row.id, ())
    change.db.delete(row)
    change.db.flush()
    _followed(change, removed)


def get(db: Session, id: str) -> scim_resources.Group:
    return resource(db, _found(db, id))


def rows(db: Session, *conditions: ColumnElement[bool]) -> list[ScimGroup]:
    """The groups, the first sent first."""
    statement = select(ScimGroup).where(*conditions)
    return list(db.scalars(statement.order_by(ScimGroup.created_at, ScimGroup.id)))


def resources(db: Session, found: Iterable[ScimGroup]) -> list[scim_resources.Group]:
    return [resource(db, one) for one in found]


def resource(db: Session, row: ScimGroup) -> scim_resources.Group:
    """The group as SCIM shows it."""
    made = scim_resources.Group.model_validate(
        {
            "schemas": [str(scim_resources.Group.__schema__)],
            "id": str(row.id),
            "externalId": row.external_id,
            "displayName": row.display_name,
            "members": [{"value": str(user)} for user, _ in scim_group_members.members_of(db, row.id)]
            or None,
            "meta": {"resourceType": "Group", "created": row.created_at, "lastModified": row.updated_at},
        }
    )
    return made


def _store(change: Change, row: ScimGroup, sent: scim_resources.Group) -> None:
    name, before = scim_resources.short(sent.display_name or "", "displayName"), row.display_name
    if not name.strip():
        raise Refused(Code.MALFORMED, "displayName is required", scim_type="invalidValue")
    row.display_name, row.updated_at = name, change.now
    row.external_id = scim_resources.short(sent.external_id, "externalId") if sent.external_id else None
    change.db.add(row)
    change.db.flush()
    change.event.target = f"group:{name}"
    if before != name:
        change.event.changes["display_name"] = [before, name]
        group_teams.require_teams_of_their_own(change.db, name)
    moved = _set_members(change, row, [one.value for one in sent.members or () if one.value])
    stayed = (
        set()
        if before in (None, name)
        else {one for one, _ in scim_group_members.members_of(change.db, row.id)}
    )
    _followed(change, moved | stayed)


def _set_members(change: Change, row: ScimGroup, wanted: Iterable[str]) -> set[UUID]:
    """Returns who came in or went."""
    added, removed = scim_group_members.replace(change.db, row.id, wanted)
    for key, users in (("members_added", added), ("members_removed", removed)):
        if users:
            change.event.changes[key] = scim_group_members.names(change.db, users)
    return added | removed


def _followed(change: Change, users: Iterable[UUID]) -> None:
    for user in users:
        group_teams.follow_settings(change.db, user, now=change.now)


def _for_change(change: Change, id: str) -> ScimGroup:
    change.event.target = f"group:{id[:50]}"
    row = _found(change.db, id)
    change.event.target = f"group:{row.display_name}"
    return row


def _found(db: Session, id: str) -> ScimGroup:
    """For a change, no other request changes it meanwhile: of two, the second would write the members that it read before."""
    try:
        row = db.get(
            ScimGroup, UUID(id), with_for_update={"key_share": True} if db.info.get("writes") else None
        )
    except ValueError:
        row = None
    if row is None:
        raise Refused(Code.NOT_FOUND, f"there is no group {id[:50]!r}")
    return row
