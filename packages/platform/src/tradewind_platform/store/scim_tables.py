"""Tables of the people and groups that an identity provider pushes by SCIM."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Scoped


class ScimToken(Scoped, Base):
    """SHA-256 of a value of the organization's SCIM token. `until`: it was replaced, and is good until then."""

    __tablename__ = "scim_token"

    hash: Mapped[str] = mapped_column(unique=True)
    prefix: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    until: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class ScimUser(Scoped, Base):
    """A user as the identity provider has sent the person. The id of the resource is the user's."""

    __tablename__ = "scim_user"
    __table_args__ = (UniqueConstraint("organization_id", "user_name_key"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), unique=True)
    user_name: Mapped[str]
    user_name_key: Mapped[str | None]
    """The user name without its case. None: the resource was deleted, and another may have the name."""
    external_id: Mapped[str | None] = mapped_column(index=True)
    active: Mapped[bool]
    """What the identity provider has sent last. The user may be disabled here all the same."""
    resource: Mapped[dict[str, Any]]
    """Name and addresses."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ScimGroup(Scoped, Base):
    """A group that the identity provider has sent. Which teams it stands for is a setting of the sign-in."""

    __tablename__ = "scim_group"

    display_name: Mapped[str] = mapped_column(index=True)
    external_id: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ScimGroupMember(Scoped, Base):
    """A person in a group."""

    __tablename__ = "scim_group_member"
    __table_args__ = (UniqueConstraint("group_id", "user_id"),)

    group_id: Mapped[UUID] = mapped_column(ForeignKey("scim_group.id"), index=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), index=True)
