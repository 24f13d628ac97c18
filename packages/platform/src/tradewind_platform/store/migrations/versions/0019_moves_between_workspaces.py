"""Moves of Deployments between workspaces: since when the settings around one are others, and which workspace it has left."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deployment", sa.Column("layers_changed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("audit_event", sa.Column("former_workspace_id", sa.Uuid(), nullable=True))
