"""Tables about people's sign-in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Prose, Scoped


class SignInSession(Scoped, Base):
    """A person who has signed in with a browser. The cookie has a random value, of which the hash is here."""

    __tablename__ = "sign_in_session"

    hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), index=True)
    method: Mapped[str]
    created_at: Mapped[datetime]
    authenticated_at: Mapped[datetime]
    """When the person last proved who they are, to the platform or to the identity provider."""
    last_seen_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str] = mapped_column(default="")
    """An `EndReason`, or the restoration of a backup. The API shows live sessions only: it is kept for an audit of the database."""
    address: Mapped[str] = mapped_column(default="")
    client: Mapped[str] = mapped_column(default="")
    idp_subject: Mapped[str | None] = mapped_column(index=True)
    idp_sid: Mapped[str | None] = mapped_column(index=True)
    """The identity provider's id of its own session, by which its back-channel logout ends this one."""


class SignInLink(Scoped, Base):
    """A link that the platform's machine printed, usable once. Without a user, it makes the first administrator."""

    __tablename__ = "sign_in_link"

    hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class LocalPassword(Scoped, Base):
    """The Argon2id hash of a user's password, for a platform or a person without an identity provider."""

    __tablename__ = "local_password"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), unique=True)
    hash: Mapped[str] = mapped_column(Prose)
    changed_at: Mapped[datetime]
