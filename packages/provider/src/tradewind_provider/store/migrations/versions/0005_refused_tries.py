"""Tries of agents that were refused, and since when an agent comes the way that it comes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tradewind_refused_try",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.String(length=100), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("message", sa.String(length=500), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("source", "endpoint", "code", name=op.f("pk_tradewind_refused_try")),
    )
    op.add_column("tradewind_session", sa.Column("way_since", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("tradewind_session", "way_since")
    op.drop_table("tradewind_refused_try")
