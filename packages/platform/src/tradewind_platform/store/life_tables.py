"""Tables of the life of a Deployment: hibernation, maintenance, backups, configuration, environment variables and what those were."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Prose, Scoped


class Hibernation(Scoped, Base):
    """When a Deployment sleeps. An override is stronger than the schedules until it ends; one without an end never does."""

    __tablename__ = "hibernation"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"), unique=True)
    schedules: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    override_sleeps: Mapped[bool | None]
    override_until: Mapped[datetime | None]
    next_event: Mapped[str] = mapped_column(default="")
    next_event_at: Mapped[datetime | None]
    """What the schedules and the override bring next: written when they change and when it comes, so that a list computes nothing."""
    revision: Mapped[int] = mapped_column(default=1)


class RecurringWork(Scoped, Base):
    """An operation that begins again and again: a backup, or a clean-up of the database. `keep_days`: of its backups or rows."""

    __tablename__ = "recurring_work"
    __table_args__ = (UniqueConstraint("deployment_id", "kind"),)

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"))
    kind: Mapped[str]
    cron: Mapped[str]
    keep_days: Mapped[int]
    is_enabled: Mapped[bool]
    considered_until: Mapped[datetime]
    """Moments of the schedule until then have been acted on."""
    due_at: Mapped[datetime | None]
    """The first moment after that. Written whenever one of both changes; null: not yet computed."""
    revision: Mapped[int] = mapped_column(default=1)


class DeploymentWorkload(Scoped, Base):
    """How many agents a Deployment has and how much work, as its Airflow has reported last."""

    __tablename__ = "deployment_workload"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"), unique=True)
    agents: Mapped[int]
    healthy_agents: Mapped[int]
    running: Mapped[int]
    queued: Mapped[int]
    access_age: Mapped[float | None]
    """Age of the roles that its API server had, in seconds."""
    knows_permissions: Mapped[bool | None]
    """Whether its API server gives custom roles exactly: one of a release before them gives less."""
    expiring_tokens: Mapped[list[dict[str, str]] | None] = mapped_column(JSON(none_as_null=True))
    """Agent tokens in use that expire soon: `name`, `issued_at`, `expires_at`. Null: its API server does not tell them."""
    database_bytes: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime]


class Maintenance(Scoped, Base):
    """When the platform may upgrade a Deployment and clean its database up. Its revision counts recurring work, too."""

    __tablename__ = "maintenance"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"), unique=True)
    windows: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    follows: Mapped[str] = mapped_column(default="", server_default="")
    """The minor of Airflow whose newest release it is upgraded to by itself; empty: none."""
    followed: Mapped[str] = mapped_column(default="", server_default="")
    """The version that was begun so last."""
    revision: Mapped[int] = mapped_column(default=1)


class Backup(Scoped, Base):
    """A backup of a Deployment's database. `key`: what encrypts it and no other one, itself encrypted."""

    __tablename__ = "backup"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"), index=True)
    operation_id: Mapped[UUID | None] = mapped_column(ForeignKey("operation.id"))
    state: Mapped[str]
    version: Mapped[str] = mapped_column(default="")
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What its driver says of it: size, heads of the migrations, sum."""
    key: Mapped[str] = mapped_column(Prose)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    ended_at: Mapped[datetime | None]
    keep_until: Mapped[datetime | None]


class ConfigurationEntry(Scoped, Base):
    """An option of Airflow in one layer. `locked`: the layers below may not say otherwise."""

    __tablename__ = "configuration_entry"
    __table_args__ = (
        UniqueConstraint(
            "organization_id", "scope", "scope_id", "section", "key", name="uq_configuration_entry_of_scope"
        ),
    )

    scope: Mapped[str]  # cluster, workspace or deployment
    scope_id: Mapped[UUID]
    section: Mapped[str]
    key: Mapped[str]
    value: Mapped[str] = mapped_column(Prose)
    locked: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)


class EnvironmentVariable(Scoped, Base):
    """A variable of a Deployment's processes in one layer. Its value is encrypted; a secret one is never returned."""

    __tablename__ = "environment_variable"
    __table_args__ = (
        UniqueConstraint("organization_id", "scope", "scope_id", "key"),
        Index("ix_environment_variable_scope_id", "scope_id"),
    )

    scope: Mapped[str]  # cluster, workspace or deployment
    scope_id: Mapped[UUID]
    key: Mapped[str]
    value: Mapped[str] = mapped_column(Prose)
    is_secret: Mapped[bool]
    locked: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)


class FormerSecret(Scoped, Base):
    """A value that a secret environment variable had in one layer, encrypted. Log lines of before have it, and are masked until `keep_until`."""

    __tablename__ = "former_secret"

    scope_id: Mapped[UUID] = mapped_column(index=True)  # a cluster, a workspace or a Deployment
    key: Mapped[str]
    value: Mapped[str] = mapped_column(Prose)
    keep_until: Mapped[datetime] = mapped_column(index=True)
