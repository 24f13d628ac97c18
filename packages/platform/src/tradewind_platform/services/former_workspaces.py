"""Workspaces that a Deployment has left: its processes had their settings, and its logs may hold their secrets."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.store.tables import AuditEvent, Deployment

MOVED: Final = "deployment.move"
"""The action of the audit event of a move to another workspace."""


def of(db: Session, row: Deployment) -> set[UUID]:
    """Their ids, as far as the audit trail reaches back."""
    moves = select(AuditEvent.former_workspace_id).where(
        AuditEvent.action == MOVED,
        AuditEvent.deployment_id == row.id,
        AuditEvent.former_workspace_id.is_not(None),
    )
    return {one for one in db.scalars(moves) if one is not None}
