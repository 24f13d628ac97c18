"""Tables of clusters that a controller works for: its tokens, its steps, and what it observes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Prose, Scoped


class ClusterController(Scoped, Base):
    """The controller of a cluster. A cluster without a row is the platform's own machine."""

    __tablename__ = "cluster_controller"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), unique=True)
    instance: Mapped[UUID | None]
    version: Mapped[str] = mapped_column(default="")
    beat_at: Mapped[datetime | None]
    steps: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The steps of each kind of operation, as its driver has them."""
    undo: Mapped[dict[str, Any]] = mapped_column(default=dict)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    sizes: Mapped[list[str] | None] = mapped_column(JSON)
    """That its Deployments may have; null: the controller has reported none."""


class ClusterToken(Scoped, Base):
    """SHA-256 of a value of a cluster's token. `until`: it was replaced, and is good until then."""

    __tablename__ = "cluster_token"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), index=True)
    hash: Mapped[str] = mapped_column(unique=True)
    prefix: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    until: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class ClusterWorkspace(Scoped, Base):
    """A workspace that may use the cluster. A cluster without a row is for all of them."""

    __tablename__ = "cluster_workspace"
    __table_args__ = (UniqueConstraint("cluster_id", "workspace_id"),)

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id"), index=True)


class ClusterTask(Scoped, Base):
    """A step that a controller does, from the moment it is asked for until the reconciler has read its result."""

    __tablename__ = "cluster_task"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), index=True)
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"), unique=True)
    step: Mapped[str]
    digest: Mapped[str]
    document: Mapped[str] = mapped_column(Prose)
    """What the step is done with, encrypted: it has the Deployment's secrets."""
    instance: Mapped[UUID | None]
    """The process of the controller that does it."""
    lease_until: Mapped[datetime | None]
    outcome: Mapped[str] = mapped_column(default="")
    message: Mapped[str] = mapped_column(Prose, default="")
    final: Mapped[bool] = mapped_column(default=False)
    again: Mapped[float] = mapped_column(default=0.0)
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime]


class ClusterDocument(Scoped, Base):
    """A Deployment that a controller observes, and what it observed."""

    __tablename__ = "cluster_document"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), index=True)
    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"), unique=True)
    digest: Mapped[str]
    keep: Mapped[bool]
    document: Mapped[str] = mapped_column(Prose)
    """Encrypted: it has the Deployment's secrets."""
    conditions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    observed_digest: Mapped[str] = mapped_column(default="")
    observed_at: Mapped[datetime | None]
