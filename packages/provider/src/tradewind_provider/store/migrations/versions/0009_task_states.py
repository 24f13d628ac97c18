"""The state in which an attempt's process left its task."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tradewind_attempt", sa.Column("task_state", sa.String(length=20), nullable=True))


def downgrade() -> None:
    op.drop_column("tradewind_attempt", "task_state")
