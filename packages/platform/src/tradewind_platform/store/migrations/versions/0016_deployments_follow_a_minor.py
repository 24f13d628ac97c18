"""Deployments that follow a minor of Airflow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("maintenance", sa.Column("follows", sa.String(), nullable=False, server_default=""))
    op.add_column("maintenance", sa.Column("followed", sa.String(), nullable=False, server_default=""))
