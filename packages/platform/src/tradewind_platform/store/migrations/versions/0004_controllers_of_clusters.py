"""Clusters whose controller connects to the platform."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create(
        "cluster_controller",
        sa.Column("instance", sa.Uuid(), nullable=True),
        sa.Column("version", sa.String(length=250), nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("undo", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.UniqueConstraint("cluster_id", name="uq_cluster_controller_cluster_id"),
    )
    _create(
        "cluster_token",
        sa.Column("hash", sa.String(length=250), nullable=False),
        sa.Column("prefix", sa.String(length=250), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.UniqueConstraint("hash", name="uq_cluster_token_hash"),
    )
    op.create_index("ix_cluster_token_cluster_id", "cluster_token", ["cluster_id"])
    _create(
        "cluster_workspace",
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_cluster_workspace_workspace_id"),
        sa.UniqueConstraint(
            "cluster_id", "workspace_id", name="uq_cluster_workspace_cluster_id_workspace_id"
        ),
    )
    op.create_index("ix_cluster_workspace_workspace_id", "cluster_workspace", ["workspace_id"])
    _create(
        "cluster_task",
        *_of_a_deployment("cluster_task"),
        sa.Column("step", sa.String(length=250), nullable=False),
        sa.Column("digest", sa.String(length=250), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("instance", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=250), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("again", sa.Double(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_cluster_task_cluster_id", "cluster_task", ["cluster_id"])
    _create(
        "cluster_document",
        *_of_a_deployment("cluster_document"),
        sa.Column("digest", sa.String(length=250), nullable=False),
        sa.Column("keep", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("observed_digest", sa.String(length=250), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_cluster_document_cluster_id", "cluster_document", ["cluster_id"])


def _of_a_deployment(table: str) -> tuple[Any, ...]:
    return (
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployment.id"], name=f"fk_{table}_deployment_id"),
        sa.UniqueConstraint("deployment_id", name=f"uq_{table}_deployment_id"),
    )


def _create(name: str, *columns: Any) -> None:
    op.create_table(
        name,
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        *columns,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=f"fk_{name}_cluster_id"),
    )
    op.create_index(f"ix_{name}_organization_id", name, ["organization_id"])
