"""Sessions have the private endpoint by which their agent came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tradewind_session", sa.Column("endpoint", sa.String(length=100), nullable=True))


def downgrade() -> None:
    op.drop_column("tradewind_session", "endpoint")
