"""Maintenance windows of Deployments, and operations that are asked to end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "maintenance",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("windows", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_maintenance"),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name="fk_maintenance_deployment_id_deployment"
        ),
        sa.UniqueConstraint("deployment_id", name="uq_maintenance_deployment_id"),
    )
    op.create_index("ix_maintenance_organization_id", "maintenance", ["organization_id"])
    op.add_column("operation", sa.Column("cancelled_by", sa.String(length=250), nullable=True))
    op.add_column("operation", sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True))
