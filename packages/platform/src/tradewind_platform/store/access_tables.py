"""Tables of the access that Deployments replicate, and of the codes that sign people in to them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Scoped


class AccessRevision(Scoped, Base):
    """Counts the changes of an organization that may change who has which role in a Deployment. Its id is the organization's."""

    __tablename__ = "access_revision"

    revision: Mapped[int] = mapped_column(default=1)


class DeploymentCredential(Scoped, Base):
    """The hash of the credential by which a Deployment asks the platform. The value is one of the Deployment's secrets."""

    __tablename__ = "deployment_credential"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"), unique=True)
    hash: Mapped[str]
    created_at: Mapped[datetime]


class AuthorizationCode(Scoped, Base):
    """A code that signs a person in to a Deployment's Airflow, once. It stays for as long as the session may last: it tells
    which sessions a Deployment may end."""

    __tablename__ = "authorization_code"

    hash: Mapped[str] = mapped_column(unique=True)
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sign_in_session.id"), index=True)
    redirect_uri: Mapped[str]
    challenge: Mapped[str]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class TerminalCode(Scoped, Base):
    """A code by which a terminal gets a token, once. `token_id`: the one that it got."""

    __tablename__ = "terminal_code"

    hash: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    session_id: Mapped[UUID] = mapped_column(ForeignKey("sign_in_session.id"))
    machine: Mapped[str]
    redirect_uri: Mapped[str]
    challenge: Mapped[str]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    token_id: Mapped[UUID | None]
