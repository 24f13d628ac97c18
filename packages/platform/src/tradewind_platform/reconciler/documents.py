"""Makes the documents that a driver is given."""

from __future__ import annotations

from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.operations import Kind
from tradewind_platform.reconciler.driver import BackupFile, Document
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import deployment_views, effective_configuration, secrets
from tradewind_platform.services.references import uuid_of
from tradewind_platform.store.life_tables import Backup
from tradewind_platform.store.tables import Cluster, Deployment, DeploymentRevision, Operation

VERSION = "version"
BACKUP = "backup"
"""The argument that names a backup, and the fact of a step that has made one."""


def document_of(
    db: Session, ring: KeyRing, deployment: Deployment, cluster: Cluster, operation: Operation | None = None
) -> Document:
    """The Deployment as an operation shall leave it; without one, as it runs."""
    observed = deployment.observed_revision
    revision = observed if operation is None else operation.revision
    spec = asked = _spec(db, deployment, revision)
    if operation is not None and operation.kind == Kind.PREFLIGHT:
        spec = {**spec, VERSION: operation.arguments[VERSION]}
    options, environment = effective_configuration.of_deployment(db, ring, deployment)
    return Document(
        id=deployment.id,
        slug=deployment.slug,
        number=deployment.number,
        name=deployment.name,
        revision=revision,
        spec=spec,
        agent_url=deployment_views.agent_url(cluster, deployment.slug),
        people_url=deployment_views.people_url(cluster, deployment.slug),
        secrets=secrets.of(db, ring, deployment.id),
        configuration=options,
        environment=environment,
        before=asked if revision == observed else _spec(db, deployment, observed),
        arguments={} if operation is None else operation.arguments,
        backup=None if operation is None else _backup(db, ring, operation),
        since=None if operation is None else operation.created_at,
    )


def _spec(db: Session, deployment: Deployment, revision: int) -> dict[str, Any]:
    """Empty for a Deployment that was never wholly made, whose revision is 0."""
    if not revision:
        return {}
    found = db.scalar(
        select(DeploymentRevision.spec).where(
            DeploymentRevision.deployment_id == deployment.id, DeploymentRevision.revision == revision
        )
    )
    return found or {}


def _backup(db: Session, ring: KeyRing, operation: Operation) -> BackupFile | None:
    """The backup that the operation makes, or the one that it was asked to restore."""
    asked = uuid_of(str(operation.arguments.get(BACKUP, "")))
    row = db.scalar(
        select(Backup).where(
            Backup.deployment_id == operation.deployment_id,
            or_(Backup.operation_id == operation.id, Backup.id == asked),
        )
    )
    if row is None:
        return None
    key = ring.decrypt(row.key, row=row_of(Backup, row.id, "key"))
    return BackupFile(row.id, key)
