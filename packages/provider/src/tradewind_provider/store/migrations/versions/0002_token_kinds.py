"""Tokens have a kind, and agents a group that is scaled together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tradewind_agent_token",
        sa.Column("kind", sa.String(length=20), server_default="agent", nullable=False),
    )
    op.add_column(
        "tradewind_session",
        sa.Column("worker_group", sa.String(length=250), server_default="", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("tradewind_session", "worker_group")
    op.drop_column("tradewind_agent_token", "kind")
