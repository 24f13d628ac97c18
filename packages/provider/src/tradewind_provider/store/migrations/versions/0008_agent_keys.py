"""An agent's id is bound to a key made on the agent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tradewind_session", sa.Column("agent_key_hash", sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column("tradewind_session", "agent_key_hash")
