"""How many Deployments a workspace may have, and where they run that name no cluster."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workspace", sa.Column("deployments_at_most", sa.Integer(), nullable=True))
    op.add_column("workspace", sa.Column("default_cluster_id", sa.Uuid(), nullable=True))
