"""Sizes that a cluster has for its Deployments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cluster_controller", sa.Column("sizes", sa.JSON(), nullable=True))
