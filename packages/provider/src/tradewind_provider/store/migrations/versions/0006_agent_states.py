"""The state an agent was last seen in, so that a change of it is written down once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tradewind_session", sa.Column("noted_state", sa.String(length=20), nullable=True))


def downgrade() -> None:
    op.drop_column("tradewind_session", "noted_state")
