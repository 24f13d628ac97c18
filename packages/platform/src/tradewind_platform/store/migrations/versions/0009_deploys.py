"""Deploys of code to Deployments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deploy",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(length=250), nullable=False),
        sa.Column("image", sa.Text(), nullable=False),
        sa.Column("airflow", sa.String(length=250), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("git", sa.JSON(), nullable=False),
        sa.Column("rolled_back_from", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_deploy"),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name="fk_deploy_deployment_id_deployment"
        ),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name="fk_deploy_operation_id_operation"),
    )
    op.create_index("ix_deploy_deployment_id", "deploy", ["deployment_id"])
    op.create_index("ix_deploy_organization_id", "deploy", ["organization_id"])
