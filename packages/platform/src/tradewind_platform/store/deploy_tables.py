"""The table of deploys: which code each Deployment was given, by whom."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Prose, Scoped


class Deploy(Scoped, Base):
    """One deploy, or roll-back. How it went is what its operation says. Neither digest nor image: the cluster's own environment."""

    __tablename__ = "deploy"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"), index=True)
    operation_id: Mapped[UUID] = mapped_column(ForeignKey("operation.id"))
    digest: Mapped[str]
    image: Mapped[str] = mapped_column(Prose)
    airflow: Mapped[str]
    description: Mapped[str] = mapped_column(Prose)
    git: Mapped[dict[str, Any]]
    rolled_back_from: Mapped[UUID | None]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
