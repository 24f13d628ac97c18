"""People of the organization, as its owners see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal, Role
from tradewind_platform.domain.sign_in_sessions import EndReason
from tradewind_platform.services import people, role_bindings, sign_in_sessions, teams
from tradewind_platform.services.change import Change, require
from tradewind_platform.services.references import found_by
from tradewind_platform.store.people_tables import LocalPassword, SignInSession
from tradewind_platform.store.scim_tables import ScimUser
from tradewind_platform.store.tables import RoleBinding, User
from tradewind_platform.store.team_tables import Identity
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.people import ChangeUser, UserView


def listed(db: Session, caller: Principal) -> list[UserView]:
    require(caller, Permission.MEMBERS_GET, ORGANIZATION)
    return [view(db, row) for row in db.scalars(select(User).order_by(User.name))]


def get(db: Session, caller: Principal, reference: str) -> UserView:
    require(caller, Permission.MEMBERS_GET, ORGANIZATION)
    return view(db, found(db, reference))


def update(change: Change, reference: str, ask: ChangeUser) -> UserView:
    """Disable a user: all of their sessions end, and their personal tokens open nothing. Or enable one again."""
    change.event.target = f"user:{reference}"
    change.require(Permission.MEMBERS_UPDATE, ORGANIZATION)
    row = found(change.db, reference)
    change.event.target = f"user:{row.name}"
    change.event.changes = set_disabled(change.db, row, ask.disabled, now=change.now)
    change.db.flush()
    return view(change.db, row)


def set_disabled(db: Session, row: User, disabled: bool, *, now: datetime) -> dict[str, Any]:
    """Disable a user, whose sessions end, or enable one. Returns what changed; the same again changes nothing.

    Raises Refused CONFLICT for the last owner of the organization.
    """
    if disabled is (row.disabled_at is not None):
        return {}
    if disabled:
        if owns_organization(db, row.id):
            role_bindings.require_another_owner(db, row.id)
        sign_in_sessions.end_of_user(db, row.id, EndReason.USER_DISABLED, now=now)
    row.disabled_at = now if disabled else None
    return {"disabled": [not disabled, disabled]}


def owns_organization(db: Session, user: UUID) -> bool:
    """Whether the user was made an owner directly, and not by a team."""
    own = people.bindings(db, db.scalars(select(RoleBinding).where(RoleBinding.user_id == user)))
    return any(one.role is Role.ORGANIZATION_OWNER for one in own)


def end_sessions(change: Change, reference: str) -> None:
    """End all sessions of a user. They may sign in again."""
    change.event.target = f"user:{reference}"
    change.require(Permission.MEMBERS_UPDATE, ORGANIZATION)
    row = found(change.db, reference)
    change.event.target = f"user:{row.name}"
    reason = EndReason.ENDED_BY_ADMINISTRATOR
    count = sign_in_sessions.end_of_user(change.db, row.id, reason, now=change.now)
    change.event.changes = {"sessions_ended": count}


def found(db: Session, reference: str) -> User:
    row = found_by(db, User, reference, User.name)
    if row is None:
        raise Refused(Code.NOT_FOUND, f"there is no user {reference!r}")
    return row


def view(db: Session, row: User) -> UserView:
    identity: Any = db.scalar(
        select(Identity).where(Identity.user_id == row.id).order_by(Identity.signed_in_at.desc()).limit(1)
    )
    has_password = db.scalar(select(LocalPassword.id).where(LocalPassword.user_id == row.id)) is not None
    last = db.scalar(select(func.max(SignInSession.created_at)).where(SignInSession.user_id == row.id))
    pushed = db.scalar(select(ScimUser).where(ScimUser.user_id == row.id, ScimUser.deleted_at.is_(None)))
    methods = (("password", has_password), ("identity_provider", identity is not None))
    return UserView(
        id=row.id,
        name=row.name,
        full_name=(identity.full_name if identity is not None else "") or _sent_name(pushed),
        email=(identity.email if identity is not None else "") or _sent_address(pushed),
        status="active" if row.disabled_at is None else "disabled",
        signs_in_by=tuple(name for name, has in methods if has),
        teams=teams.names_of(db, row.id),
        provisioned=pushed is not None,
        created_at=row.created_at,
        signed_in_at=last,
    )


def _sent_name(pushed: ScimUser | None) -> str:
    """The name that SCIM has sent, of somebody who has not signed in yet."""
    sent = {} if pushed is None else pushed.resource
    name = sent.get("name", {})
    parts = (name.get("givenName"), name.get("familyName"))
    return sent.get("displayName") or name.get("formatted") or " ".join(one for one in parts if one)


def _sent_address(pushed: ScimUser | None) -> str:
    emails = [] if pushed is None else pushed.resource.get("emails", [])
    ordered = sorted(emails, key=lambda one: one.get("primary") is not True)
    return next((one["value"] for one in ordered if one.get("value")), "")
