"""Sentinels and their last reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tradewind_sentinel",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site", sa.String(length=250), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tradewind_sentinel")),
        sa.UniqueConstraint("site", "name", name=op.f("uq_tradewind_sentinel_site")),
    )


def downgrade() -> None:
    op.drop_table("tradewind_sentinel")
