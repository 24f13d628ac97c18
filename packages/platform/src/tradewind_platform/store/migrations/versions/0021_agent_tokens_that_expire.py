"""Agent tokens of Deployments that expire soon."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deployment_workload", sa.Column("expiring_tokens", sa.JSON(), nullable=True))
