"""Former values of agent tokens, settings made while the plane runs, and from where things were asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tradewind_former_token_value",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("shown", sa.String(length=40), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_by", sa.String(length=250), nullable=False),
        sa.Column("good_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_tradewind_former_token_value")),
    )
    op.create_index(
        "ix_tradewind_former_token_value_token_id", "tradewind_former_token_value", ["token_id"], unique=False
    )
    op.create_table(
        "tradewind_setting",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=250), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tradewind_setting")),
    )
    op.add_column("tradewind_session", sa.Column("bought_with", sa.String(length=64), nullable=True))
    op.add_column("tradewind_session", sa.Column("address", sa.String(length=64), nullable=True))
    op.add_column(
        "tradewind_event", sa.Column("address", sa.String(length=64), server_default="", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("tradewind_event", "address")
    op.drop_column("tradewind_session", "address")
    op.drop_column("tradewind_session", "bought_with")
    op.drop_table("tradewind_setting")
    op.drop_index("ix_tradewind_former_token_value_token_id", table_name="tradewind_former_token_value")
    op.drop_table("tradewind_former_token_value")
