"""The table of the addresses from which an organization may be used."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Scoped


class AllowedAddressList(Scoped, Base):
    """The networks of an organization's pages and API. One row of an organization; none until its list is first set."""

    __tablename__ = "allowed_addresses"
    __table_args__ = (UniqueConstraint("organization_id"),)

    networks: Mapped[list[Any]] = mapped_column(JSON)
    """Each with `network`, in CIDR notation, and `description`. None: any address."""
    changed_at: Mapped[datetime]
    changed_by: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)
