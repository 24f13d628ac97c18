"""What Deployments tell of themselves: agent tokens that expire soon, and how large their database is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deployment_workload", sa.Column("expiring_tokens", sa.JSON(), nullable=True))
    op.add_column("deployment_workload", sa.Column("database_bytes", sa.BigInteger(), nullable=True))
