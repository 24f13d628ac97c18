"""Up to which report each triggerer host has been heard."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tradewind_trigger_source",
        sa.Column("source", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("applied_through", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_tradewind_trigger_source")),
    )
    op.create_index("ix_tradewind_trigger_source_updated_at", "tradewind_trigger_source", ["updated_at"])


def downgrade() -> None:
    op.drop_table("tradewind_trigger_source")
