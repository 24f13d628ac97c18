"""The specification of a Deployment, revision after revision."""

from __future__ import annotations

from datetime import datetime
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


def applied(db: Session, row: Deployment) -> dict[str, Any]:
    """The one that was applied last; empty before the first."""
    found = db.scalar(
        select(DeploymentRevision.spec).where(
            DeploymentRevision.deployment_id == row.id,
            DeploymentRevision.revision == row.observed_revision,
        )
    )
    return found or {}


def first(change: Change, row: Deployment, spec: dict[str, Any]) -> None:
    """That of a new Deployment."""
    author, reason = change.caller.name, change.event.reason
    _write(change.db, row, spec, author=author, reason=reason, now=change.now)


def add(change: Change, row: Deployment, spec: dict[str, Any]) -> None:
    """One more. An operation has to apply it."""
    add_by(change.db, row, spec, author=change.caller.name, reason=change.event.reason, now=change.now)


def add_by(
    db: Session, row: Deployment, spec: dict[str, Any], *, author: str, reason: str, now: datetime
) -> None:
    """As `add`, for an author that is no caller of the API."""
    row.revision += 1
    row.updated_at, row.updated_by = now, author
    _write(db, row, spec, author=author, reason=reason, now=now)


def _write(
    db: Session, row: Deployment, spec: dict[str, Any], *, author: str, reason: str, now: datetime
) -> None:
    db.add(
        DeploymentRevision(
            organization_id=row.organization_id,
            deployment_id=row.id,
            revision=row.revision,
            spec=spec,
            author=author,
            reason=reason,
            created_at=now,
        )
    )
    db.flush()
