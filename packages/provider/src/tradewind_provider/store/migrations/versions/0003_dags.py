"""Bundles, files and callback grants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tradewind_dag_bundle",
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("agent_name", sa.String(length=250), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("instance", sa.Uuid(), nullable=True),
        sa.Column("mark", sa.String(length=32), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tradewind_dag_bundle")),
    )
    op.create_index("ix_tradewind_dag_bundle_session", "tradewind_dag_bundle", ["session_id"], unique=False)
    op.create_table(
        "tradewind_dag_file",
        sa.Column("bundle", sa.String(length=250), nullable=False),
        sa.Column("path", sa.String(length=1000), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=True),
        sa.Column("dag_ids", sa.JSON(), nullable=False),
        sa.Column("blocked", sa.JSON(), nullable=False),
        sa.Column("error_paths", sa.JSON(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bundle", "path", name=op.f("pk_tradewind_dag_file")),
    )
    op.create_table(
        "tradewind_dag_callback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bundle", sa.String(length=250), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("instance", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tradewind_dag_callback")),
    )
    op.create_index(
        "ix_tradewind_dag_callback_session", "tradewind_dag_callback", ["session_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_tradewind_dag_callback_session", table_name="tradewind_dag_callback")
    op.drop_table("tradewind_dag_callback")
    op.drop_table("tradewind_dag_file")
    op.drop_index("ix_tradewind_dag_bundle_session", table_name="tradewind_dag_bundle")
    op.drop_table("tradewind_dag_bundle")
