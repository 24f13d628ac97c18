"""A bundle knows which key its site keeps text under."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tradewind_dag_bundle", sa.Column("key_print", sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column("tradewind_dag_bundle", "key_print")
