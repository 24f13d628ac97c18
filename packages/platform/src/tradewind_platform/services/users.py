"""People of the organization, as its owners see them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal, Role
from tradewind_platform.domain.sign_in_sessions import EndReason
from tradewind_platform.services import people, role_bindings, sign_in_sessions, teams
from tradewind_platform.services.change import Change, require
from tradewind_platform.services.references import found_by
from tradewind_platform.store.people_tables import LocalPassword, SignInSession
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
    if ask.disabled and row.disabled_at is None:
        own = people.bindings(
            change.db, change.db.scalars(select(RoleBinding).where(RoleBinding.user_id == row.id))
        )
        if any(one.role is Role.ORGANIZATION_OWNER for one in own):
            role_bindings.require_another_owner(change.db, row.id)
        row.disabled_at = change.now
        change.event.changes = {"disabled": [False, True]}
        sign_in_sessions.end_of_user(change.db, row.id, EndReason.USER_DISABLED, now=change.now)
    elif not ask.disabled and row.disabled_at is not None:
        row.disabled_at = None
        change.event.changes = {"disabled": [True, False]}
    change.db.flush()
    return view(change.db, row)


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
    methods = (("password", has_password), ("identity_provider", identity is not None))
    return UserView(
        id=row.id,
        name=row.name,
        full_name="" if identity is None else identity.full_name,
        email="" if identity is None else identity.email,
        status="active" if row.disabled_at is None else "disabled",
        signs_in_by=tuple(name for name, has in methods if has),
        teams=teams.names_of(db, row.id),
        created_at=row.created_at,
        signed_in_at=last,
    )
