"""Custom roles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Prose, Scoped


class RoleDefinition(Scoped, Base):
    """A role that the organization has made. Bindings name it. A row stays when the role is deleted, so that no other role ever has
    its name."""

    __tablename__ = "custom_role"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    name: Mapped[str]
    description: Mapped[str] = mapped_column(Prose, default="")
    permissions: Mapped[list[Any]] = mapped_column(JSON)
    airflow_role: Mapped[str | None]
    workspaces: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    """Ids of the workspaces on whose Deployments it may be given; None: on any."""
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
    deleted_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(default=1)
