"""Which directory has the Deployments of the platform's own machine, and how old each Deployment's replica of access is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cluster", sa.Column("home_id", sa.Uuid(), nullable=True))
    op.add_column("cluster", sa.Column("home", sa.Text(), nullable=True))
    op.add_column("deployment_workload", sa.Column("access_age", sa.Double(), nullable=True))
