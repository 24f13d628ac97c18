"""When recurring work is due next, so that a look at all of it reads what is due and no more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Null until the platform has looked at it once.
    op.add_column("recurring_work", sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
