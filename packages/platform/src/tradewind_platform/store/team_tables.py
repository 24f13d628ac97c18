"""Tables about teams, invites, and who people are at an identity provider."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Prose, Scoped


class Team(Scoped, Base):
    """People who have roles together. Members of one that is `idp_managed` come from the identity provider only."""

    __tablename__ = "team"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    name: Mapped[str]
    description: Mapped[str] = mapped_column(Prose, default="")
    idp_managed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)


class TeamMember(Scoped, Base):
    """A person in a team, and what put them there: `manual`, `idp` or `scim`."""

    __tablename__ = "team_member"
    __table_args__ = (UniqueConstraint("team_id", "user_id"),)

    team_id: Mapped[UUID] = mapped_column(ForeignKey("team.id"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), index=True)
    source: Mapped[str]
    created_at: Mapped[datetime]


class TeamRoleBinding(Scoped, Base):
    """A role of a team on the organization, a workspace or a Deployment: each of its members has it."""

    __tablename__ = "team_role_binding"
    __table_args__ = (UniqueConstraint("team_id", "role", "workspace_id", "deployment_id"),)

    team_id: Mapped[UUID] = mapped_column(ForeignKey("team.id"), index=True)
    role: Mapped[str]
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspace.id"))
    deployment_id: Mapped[UUID | None] = mapped_column(ForeignKey("deployment.id"))
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class Identity(Scoped, Base):
    """Who a person is at an identity provider. E-mail addresses are shown, and identify nobody."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("organization_id", "issuer", "subject"),)

    issuer: Mapped[str]
    subject: Mapped[str]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), index=True)
    email: Mapped[str] = mapped_column(default="")
    full_name: Mapped[str] = mapped_column(default="")
    groups: Mapped[list[Any]] = mapped_column(JSON, default=list)
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime]


class Invite(Scoped, Base):
    """A role that waits for the person with an e-mail address, until they sign in or it expires."""

    __tablename__ = "invite"

    email: Mapped[str] = mapped_column(index=True)
    role: Mapped[str]
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspace.id"))
    deployment_id: Mapped[UUID | None] = mapped_column(ForeignKey("deployment.id"))
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    withdrawn_at: Mapped[datetime | None]
