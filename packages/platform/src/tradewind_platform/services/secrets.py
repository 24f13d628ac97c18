"""Secrets of a Deployment, encrypted at rest."""

from __future__ import annotations

import secrets
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.ids import new_id
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.store.tables import DeploymentSecret


def new_password() -> str:
    return secrets.token_urlsafe(32)


def add(
    db: Session,
    ring: KeyRing,
    deployment: UUID,
    name: str,
    value: str,
    *,
    organization: UUID | None = None,
) -> None:
    """Keep a secret. A session over all organizations needs `organization`."""
    id = new_id()
    stored = ring.encrypt(value, row=row_of(DeploymentSecret, id, "value"))
    db.add(
        DeploymentSecret(
            id=id, organization_id=organization, deployment_id=deployment, name=name, value=stored
        )
    )


def of(db: Session, ring: KeyRing, deployment: UUID) -> dict[str, str]:
    """The values by name."""
    rows = db.scalars(select(DeploymentSecret).where(DeploymentSecret.deployment_id == deployment))
    return {row.name: ring.decrypt(row.value, row=row_of(DeploymentSecret, row.id, "value")) for row in rows}


def forget(db: Session, deployment: UUID) -> None:
    db.execute(delete(DeploymentSecret).where(DeploymentSecret.deployment_id == deployment))
