"""Whether the API servers of a Deployment know custom roles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deployment_workload", sa.Column("knows_permissions", sa.Boolean(), nullable=True))
