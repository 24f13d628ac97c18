"""Arguments of operations; hibernation, recurring work, backups, configuration and environment variables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("operation", sa.Column("arguments", sa.JSON(), nullable=False, server_default="{}"))
    _create(
        "hibernation",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("schedules", sa.JSON(), nullable=False),
        sa.Column("override_sleeps", sa.Boolean(), nullable=True),
        sa.Column("override_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        _of_a_deployment("hibernation"),
        sa.UniqueConstraint("deployment_id", name="uq_hibernation_deployment_id"),
    )
    _create(
        "recurring_work",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=250), nullable=False),
        sa.Column("cron", sa.String(length=250), nullable=False),
        sa.Column("keep_days", sa.Integer(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("considered_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        _of_a_deployment("recurring_work"),
        sa.UniqueConstraint("deployment_id", "kind", name="uq_recurring_work_deployment_id_kind"),
    )
    _create(
        "backup",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(length=250), nullable=False),
        sa.Column("version", sa.String(length=250), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("keep_until", sa.DateTime(timezone=True), nullable=True),
        _of_a_deployment("backup"),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name="fk_backup_operation_id_operation"),
    )
    op.create_index("ix_backup_deployment_id", "backup", ["deployment_id"], unique=False)
    _create(
        "configuration_entry",
        sa.Column("scope", sa.String(length=250), nullable=False),
        sa.Column("scope_id", sa.Uuid(), nullable=False),
        sa.Column("section", sa.String(length=250), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=250), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.UniqueConstraint(
            "organization_id",
            "scope",
            "scope_id",
            "section",
            "key",
            name="uq_configuration_entry_of_scope",
        ),
    )
    _create(
        "environment_variable",
        sa.Column("scope", sa.String(length=250), nullable=False),
        sa.Column("scope_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("is_secret", sa.Boolean(), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=250), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.UniqueConstraint(
            "organization_id",
            "scope",
            "scope_id",
            "key",
            name="uq_environment_variable_organization_id_scope_scope_id_key",
        ),
    )
    op.create_index("ix_environment_variable_scope_id", "environment_variable", ["scope_id"], unique=False)


def _create(table: str, *parts: Any) -> None:
    """With the id and the organization that each row has."""
    op.create_table(
        table,
        *parts,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_organization_id", table, ["organization_id"], unique=False)


def _of_a_deployment(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["deployment_id"], ["deployment.id"], name=f"fk_{table}_deployment_id_deployment"
    )
