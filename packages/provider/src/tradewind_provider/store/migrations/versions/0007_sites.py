"""Agent tokens, sessions and Dag bundles belong to a site; an attempt says which site and bundle it needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OWNED = ("tradewind_agent_token", "tradewind_session", "tradewind_dag_bundle")


def upgrade() -> None:
    for table in _OWNED:
        op.add_column(
            table, sa.Column("site", sa.String(length=250), nullable=False, server_default="default")
        )
    op.drop_column("tradewind_dag_bundle", "fingerprint")
    for name in ("site", "bundle"):
        op.add_column("tradewind_attempt", sa.Column(name, sa.String(length=250), nullable=True))
    op.execute("UPDATE tradewind_attempt SET site = 'default'")
    op.drop_index("ix_tradewind_attempt_claim", table_name="tradewind_attempt")
    op.create_index(
        "ix_tradewind_attempt_claim",
        "tradewind_attempt",
        ["state", "site", "queue", sa.text("priority DESC"), "created_at"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("ix_tradewind_attempt_claim", table_name="tradewind_attempt")
    op.create_index(
        "ix_tradewind_attempt_claim",
        "tradewind_attempt",
        ["state", "queue", sa.text("priority DESC"), "created_at"],
        unique=False,
    )
    for name in ("bundle", "site"):
        op.drop_column("tradewind_attempt", name)
    op.add_column(
        "tradewind_dag_bundle",
        sa.Column("fingerprint", sa.String(length=64), nullable=False, server_default=""),
    )
    for table in reversed(_OWNED):
        op.drop_column(table, "site")
