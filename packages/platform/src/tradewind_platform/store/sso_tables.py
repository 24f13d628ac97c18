"""Tables about sign-in at an identity provider."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Prose, Scoped


class SsoConnection(Scoped, Base):
    """The identity provider of an organization. `state`: the one in use is `active`, and one to be tested is `draft`."""

    __tablename__ = "sso_connection"
    __table_args__ = (UniqueConstraint("organization_id", "state"),)

    state: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    client_secret: Mapped[str] = mapped_column(Prose)
    """Encrypted at rest."""
    settings: Mapped[dict[str, Any]]
    """Label, scopes, groups, demands: nothing secret."""
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
    tested_at: Mapped[datetime | None]
    test: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Claims of the last test sign-in, and what would come of them."""
    revision: Mapped[int] = mapped_column(default=1)


class SignInAttempt(Scoped, Base):
    """A browser that was sent to the identity provider. Its state is good once, for ten minutes, in that browser."""

    __tablename__ = "sign_in_attempt"

    state_hash: Mapped[str] = mapped_column(unique=True)
    cookie_hash: Mapped[str]
    connection_id: Mapped[UUID] = mapped_column(ForeignKey("sso_connection.id"), index=True)
    nonce: Mapped[str]
    verifier: Mapped[str] = mapped_column(Prose)
    """Encrypted at rest."""
    return_to: Mapped[str] = mapped_column(Prose)
    max_age: Mapped[int | None]
    tester: Mapped[str | None]
    """Who tests a draft: the sign-in makes no session then."""
    created_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class SessionRefresh(Scoped, Base):
    """The refresh token of a session, with which the identity provider is asked whether the person may still come in."""

    __tablename__ = "session_refresh"

    session_id: Mapped[UUID] = mapped_column(ForeignKey("sign_in_session.id"), unique=True)
    token: Mapped[str] = mapped_column(Prose)
    """Encrypted at rest."""
    due_at: Mapped[datetime] = mapped_column(index=True)
