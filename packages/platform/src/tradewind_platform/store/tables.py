"""Every table. Ids are UUIDv7; slugs are never reused, because rows of what was deleted stay."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tradewind_platform.store.base import Base, Prose, Scoped
from tradewind_platform.store.cluster_tables import ClusterDocument, ClusterTask
from tradewind_platform.store.life_tables import Backup, EnvironmentVariable, FormerSecret
from tradewind_platform.store.sso_tables import SessionRefresh, SignInAttempt, SsoConnection


class Organization(Scoped, Base):
    """The installation's organization. Its `organization_id` is its own id."""

    __tablename__ = "organization"

    name: Mapped[str]
    created_at: Mapped[datetime]


class User(Scoped, Base):
    """A person."""

    __tablename__ = "user_account"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    name: Mapped[str]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class RoleBinding(Scoped, Base):
    """A role of a user on the organization, a workspace or a Deployment."""

    __tablename__ = "role_binding"
    __table_args__ = (UniqueConstraint("user_id", "role", "workspace_id", "deployment_id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), index=True)
    role: Mapped[str]
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspace.id"))
    deployment_id: Mapped[UUID | None] = mapped_column(ForeignKey("deployment.id"))
    created_at: Mapped[datetime]
    created_by: Mapped[str]


class ApiToken(Scoped, Base):
    """A token of the platform's API: one role on one scope. `owner_id`: it is personal, and never more than its owner.
    `session_id`: a terminal was given it by that session, and it ends with it."""

    __tablename__ = "api_token"

    name: Mapped[str]
    description: Mapped[str] = mapped_column(Prose, default="")
    role: Mapped[str]
    workspace_id: Mapped[UUID | None] = mapped_column(ForeignKey("workspace.id"))
    deployment_id: Mapped[UUID | None] = mapped_column(ForeignKey("deployment.id"))
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    session_id: Mapped[UUID | None]
    prefix: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    expires_at: Mapped[datetime | None]
    rotated_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(default=1)


class ApiTokenValue(Scoped, Base):
    """SHA-256 of a value that a token has, or had before it was rotated: that one is good until `until`."""

    __tablename__ = "api_token_value"

    token_id: Mapped[UUID] = mapped_column(ForeignKey("api_token.id"), index=True)
    hash: Mapped[str] = mapped_column(unique=True)
    until: Mapped[datetime | None]


class Cluster(Scoped, Base):
    """Where Deployments run."""

    __tablename__ = "cluster"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    driver: Mapped[str]
    region: Mapped[str] = mapped_column(default="", server_default="")
    """Where it is, for people."""
    agents_url: Mapped[str]
    """Where agents reach the Deployments of this cluster; each has a path of its own below it."""
    people_url: Mapped[str]
    """The address of a Deployment's Airflow for people, with `{slug}` in the host's name."""
    home_id: Mapped[UUID | None]
    """Of the directory that has the Deployments of the platform's own machine. A platform with another one has no part in them."""
    home: Mapped[str | None] = mapped_column(Prose)
    """Where that directory was at its last start, for people."""
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=1)


class Workspace(Scoped, Base):
    """Deployments that belong together."""

    __tablename__ = "workspace"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    name: Mapped[str]
    description: Mapped[str] = mapped_column(Prose, default="")
    deployments_at_most: Mapped[int | None]
    """Its quota; None: no limit."""
    default_cluster_id: Mapped[UUID | None]
    """Where its Deployments run that name no cluster. No foreign key: SQLite adds none to a table that is there."""
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
    revision: Mapped[int] = mapped_column(default=1)


class Deployment(Scoped, Base):
    """One Airflow. `revision` is that of its specification; `observed_revision` the one that its driver has applied."""

    __tablename__ = "deployment"
    __table_args__ = (UniqueConstraint("organization_id", "live_name"),)

    slug: Mapped[str] = mapped_column(unique=True)
    number: Mapped[int] = mapped_column(unique=True)
    """Counts up; a driver derives user ids and the like from it."""
    name: Mapped[str]
    live_name: Mapped[str | None]
    """The name, until the Deployment is purged: another one may have it then."""
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id"), index=True)
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), index=True)
    phase: Mapped[str]
    deletion_protection: Mapped[bool] = mapped_column(default=False)
    revision: Mapped[int] = mapped_column(default=1)
    observed_revision: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    updated_at: Mapped[datetime]
    updated_by: Mapped[str]
    deleted_at: Mapped[datetime | None]
    layers_changed_at: Mapped[datetime | None]
    """When it came into a workspace with other settings. What its processes have is of before, until they are restarted."""


class DeploymentRevision(Scoped, Base):
    """One specification of a Deployment, as it was asked for."""

    __tablename__ = "deployment_revision"
    __table_args__ = (UniqueConstraint("deployment_id", "revision"),)

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"))
    revision: Mapped[int]
    spec: Mapped[dict[str, Any]]
    author: Mapped[str]
    """The user or token that asked for it. No route lists revisions: it is kept, with reason and time, for an audit of the database."""
    reason: Mapped[str] = mapped_column(Prose, default="")
    created_at: Mapped[datetime]


class DeploymentSecret(Scoped, Base):
    """A secret of a Deployment, encrypted: keys of its Airflow, its database's password."""

    __tablename__ = "deployment_secret"
    __table_args__ = (UniqueConstraint("deployment_id", "name"),)

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"))
    name: Mapped[str]
    value: Mapped[str] = mapped_column(Prose)


class DeploymentCondition(Scoped, Base):
    """What was observed of a Deployment."""

    __tablename__ = "deployment_condition"
    __table_args__ = (UniqueConstraint("deployment_id", "type"),)

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"))
    type: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    message: Mapped[str] = mapped_column(Prose, default="")
    remedy: Mapped[str] = mapped_column(Prose, default="")
    since: Mapped[datetime]
    observed_revision: Mapped[int] = mapped_column(default=0)


class Operation(Scoped, Base):
    """What the platform does to a Deployment. One at a time: `unfinished` has the Deployment's id until it has ended."""

    __tablename__ = "operation"

    deployment_id: Mapped[UUID] = mapped_column(ForeignKey("deployment.id"), index=True)
    unfinished: Mapped[UUID | None] = mapped_column(unique=True)
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    revision: Mapped[int]
    error: Mapped[str] = mapped_column(Prose, default="")
    arguments: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What it was asked with, and what its steps have returned."""
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cancelled_by: Mapped[str | None]
    cancelled_at: Mapped[datetime | None]
    """When it was asked to end: it does between two steps."""


class OperationStep(Scoped, Base):
    """A step of an operation. It may be done twice: the process that did it may end before it says so."""

    __tablename__ = "operation_step"
    __table_args__ = (UniqueConstraint("operation_id", "position"),)

    operation_id: Mapped[UUID] = mapped_column(ForeignKey("operation.id"))
    position: Mapped[int]
    name: Mapped[str]
    state: Mapped[str]
    tries: Mapped[int] = mapped_column(default=0)
    message: Mapped[str] = mapped_column(Prose, default="")
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class AuditEvent(Scoped, Base):
    """Who did what, or was refused. Written in the transaction of the change; never changed."""

    __tablename__ = "audit_event"
    __table_args__ = (Index("ix_audit_event_organization_id_at", "organization_id", "at"),)

    at: Mapped[datetime]
    request_id: Mapped[str] = mapped_column(default="")
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID | None]
    actor: Mapped[str]
    address: Mapped[str] = mapped_column(default="")
    client: Mapped[str] = mapped_column(default="")
    action: Mapped[str] = mapped_column(index=True)
    target: Mapped[str] = mapped_column(default="")
    workspace_id: Mapped[UUID | None]
    former_workspace_id: Mapped[UUID | None]
    """The workspace that the target was in until then: those who read its events read this one, too."""
    deployment_id: Mapped[UUID | None]
    result: Mapped[str]
    reason: Mapped[str] = mapped_column(Prose, default="")
    changes: Mapped[dict[str, Any]] = mapped_column(default=dict)


class IdempotencyKey(Scoped, Base):
    """The answer that a request with an `Idempotency-Key` got, encrypted: it may hold a token's value."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("actor_id", "key"),)

    actor_id: Mapped[UUID]
    key: Mapped[str]
    request_hash: Mapped[str]
    status: Mapped[int]
    response: Mapped[str] = mapped_column(Prose)
    created_at: Mapped[datetime] = mapped_column(index=True)


class EncryptionKey(Base):
    """A key that values may be encrypted with, known by its id. `check` is a known text that it encrypted."""

    __tablename__ = "encryption_key"

    id: Mapped[str] = mapped_column(primary_key=True)
    check: Mapped[str] = mapped_column(Prose)
    created_at: Mapped[datetime]


ENCRYPTED = (
    (DeploymentSecret, "value"),
    (IdempotencyKey, "response"),
    (Backup, "key"),
    (EnvironmentVariable, "value"),
    (FormerSecret, "value"),
    (ClusterTask, "document"),
    (ClusterDocument, "document"),
    (SsoConnection, "client_secret"),
    (SignInAttempt, "verifier"),
    (SessionRefresh, "token"),
)
"""The columns whose values a key of the key ring encrypts."""
