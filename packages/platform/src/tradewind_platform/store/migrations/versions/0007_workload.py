"""How many agents each Deployment has and how much work, and when it hibernates or wakes up next.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deployment_workload",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("agents", sa.Integer(), nullable=False),
        sa.Column("healthy_agents", sa.Integer(), nullable=False),
        sa.Column("running", sa.Integer(), nullable=False),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name="fk_deployment_workload_deployment_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deployment_workload"),
        sa.UniqueConstraint("deployment_id", name="uq_deployment_workload_deployment_id"),
    )
    op.create_index("ix_deployment_workload_organization_id", "deployment_workload", ["organization_id"])
    with op.batch_alter_table("hibernation") as table:
        table.add_column(sa.Column("next_event", sa.String(length=250), nullable=False, server_default=""))
        table.add_column(sa.Column("next_event_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("hibernation") as table:
        table.drop_column("next_event_at")
        table.drop_column("next_event")
    op.drop_table("deployment_workload")
