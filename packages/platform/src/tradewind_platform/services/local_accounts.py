"""People without an identity provider: one-time links of the platform's machine, and passwords."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.sign_in_sessions import BREAK_GLASS_LIFETIME
from tradewind_platform.security.passwords import Passwords
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services import people, users
from tradewind_platform.services.change import Event, Origin, record
from tradewind_platform.store.people_tables import LocalPassword, SignInLink
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import User
from tradewind_protocol.errors import Code, Refused

FIRST_LINK_LIFETIME: Final = timedelta(hours=24)


def new_first_link(db: Session, *, now: datetime) -> str | None:
    """The code of a link that makes the first administrator, or None when there is a user. Codes before it end."""
    if not people.is_empty(db):
        return None
    db.execute(delete(SignInLink).where(SignInLink.user_id.is_(None), SignInLink.used_at.is_(None)))
    return new_link(db, None, now=now, lifetime=FIRST_LINK_LIFETIME)


def new_break_glass_link(db: Session, name: str, *, now: datetime) -> str:
    """The code of a link that signs the user in once, within 15 minutes. Raises Refused NOT_FOUND."""
    user = db.scalar(select(User).where(User.name == name))
    if user is None or user.disabled_at is not None:
        raise Refused(
            Code.NOT_FOUND,
            f"there is no user {name!r} who may sign in",
            remedy="Make an administrator: `tradewind platform admin create NAME`.",
        )
    return new_link(db, user.id, now=now, lifetime=BREAK_GLASS_LIFETIME)


def record_link(db: Session, name: str | None, *, now: datetime) -> None:
    """The audit event of a link that was made on the platform's machine."""
    event = Event("user:?" if name is None else f"user:{name}")
    record(
        db,
        action="signInLink.create",
        caller=people.SYSTEM,
        origin=Origin(),
        event=event,
        result="done",
        now=now,
    )


def link_of(store: Store, code: str, *, now: datetime) -> SignInLink:
    """The link of a code that can still be used. Raises Refused TOKEN_UNKNOWN, TOKEN_EXPIRED or TOKEN_DELETED."""
    with store.reading_all() as db:
        row = db.scalar(select(SignInLink).where(SignInLink.hash == hashed(code)))
    return _good(row, now)


def use(db: Session, link: UUID, *, now: datetime) -> SignInLink:
    """Use a link up. Two requests at once: one of them is refused. Raises as `link_of`."""
    row = db.scalar(select(SignInLink).where(SignInLink.id == link).with_for_update())
    row = _good(row, now)
    row.used_at = now
    return row


def set_password(db: Session, user: UUID, hash: str, *, now: datetime) -> None:
    """Keep the hash of a new password; that of the one before is gone."""
    row = db.scalar(select(LocalPassword).where(LocalPassword.user_id == user))
    if row is None:
        db.add(LocalPassword(user_id=user, hash=hash, changed_at=now))
    else:
        row.hash, row.changed_at = hash, now


def user_of_password(store: Store, passwords: Passwords, name: str, password: str) -> User | None:
    """The user who has this name and this password. One who is disabled, or has none, takes as long as a wrong one."""
    with store.reading_all() as db:
        user = db.scalar(select(User).where(User.name == name))
        stored = None
        if user is not None and user.disabled_at is None:
            stored = db.scalar(select(LocalPassword.hash).where(LocalPassword.user_id == user.id))
    return user if passwords.verify(stored, password) else None


def is_password_of(store: Store, passwords: Passwords, user: UUID, password: str) -> bool:
    with store.reading_all() as db:
        stored = db.scalar(select(LocalPassword.hash).where(LocalPassword.user_id == user))
    return passwords.verify(stored, password)


def has_password(db: Session, user: UUID) -> bool:
    return db.scalar(select(LocalPassword.id).where(LocalPassword.user_id == user)) is not None


def is_break_glass(db: Session, user: UUID) -> bool:
    """Whether the user is a way in when the identity provider is away: an owner who has a password here."""
    return has_password(db, user) and users.owns_organization(db, user)


def new_link(db: Session, user: UUID | None, *, now: datetime, lifetime: timedelta) -> str:
    code = secrets.token_urlsafe(32)
    db.add(SignInLink(hash=hashed(code), user_id=user, created_at=now, expires_at=now + lifetime))
    return code


def _good(row: SignInLink | None, now: datetime) -> SignInLink:
    remedy = "Make another one on the platform's machine: `tradewind platform admin sign-in-link`."
    if row is None:
        raise Refused(Code.TOKEN_UNKNOWN, "the platform does not know this link", remedy=remedy)
    if row.used_at is not None:
        raise Refused(Code.TOKEN_DELETED, "this link was used already", remedy=remedy)
    if row.expires_at <= now:
        raise Refused(Code.TOKEN_EXPIRED, "this link has expired", remedy=remedy)
    return row
