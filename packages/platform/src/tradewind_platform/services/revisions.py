"""The specification of a Deployment, revision after revision."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.services.change import Change
from tradewind_platform.store.tables import Deployment, DeploymentRevision


def of(db: Session, row: Deployment) -> dict[str, Any]:
    """The newest."""
    found: dict[str, Any] | None = db.scalar(
        select(DeploymentRevision.spec).where(
            DeploymentRevision.deployment_id == row.id, DeploymentRevision.revision == row.revision
        )
    )
    assert found is not None
    return found


def first(change: Change, row: Deployment, spec: dict[str, Any]) -> None:
    """That of a new Deployment."""
    _write(change, row, spec)


def add(change: Change, row: Deployment, spec: dict[str, Any]) -> None:
    """One more. An operation has to apply it."""
    row.revision += 1
    row.updated_at, row.updated_by = change.now, change.caller.name
    _write(change, row, spec)


def _write(change: Change, row: Deployment, spec: dict[str, Any]) -> None:
    change.db.add(
        DeploymentRevision(
            organization_id=row.organization_id,
            deployment_id=row.id,
            revision=row.revision,
            spec=spec,
            author=change.caller.name,
            reason=change.event.reason,
            created_at=change.now,
        )
    )
    change.db.flush()
