"""Where an attempt is in its trace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tradewind_attempt",
        sa.Column("traceparent", sa.String(length=60), server_default="", nullable=False),
    )


def downgrade() -> None:
    op.drop_column("tradewind_attempt", "traceparent")
