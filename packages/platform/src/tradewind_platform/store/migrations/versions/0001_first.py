"""The tables of the first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_event",
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.String(length=250), nullable=False),
        sa.Column("actor_kind", sa.String(length=250), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.String(length=250), nullable=False),
        sa.Column("address", sa.String(length=250), nullable=False),
        sa.Column("client", sa.String(length=250), nullable=False),
        sa.Column("action", sa.String(length=250), nullable=False),
        sa.Column("target", sa.String(length=250), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=True),
        sa.Column("deployment_id", sa.Uuid(), nullable=True),
        sa.Column("result", sa.String(length=250), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_event"),
    )
    op.create_index("ix_audit_event_action", "audit_event", ["action"], unique=False)
    op.create_index("ix_audit_event_organization_id", "audit_event", ["organization_id"], unique=False)
    op.create_index(
        "ix_audit_event_organization_id_at", "audit_event", ["organization_id", "at"], unique=False
    )
    op.create_table(
        "cluster",
        sa.Column("slug", sa.String(length=250), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("driver", sa.String(length=250), nullable=False),
        sa.Column("agents_url", sa.String(length=250), nullable=False),
        sa.Column("people_url", sa.String(length=250), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cluster"),
        sa.UniqueConstraint("organization_id", "name", name="uq_cluster_organization_id_name"),
        sa.UniqueConstraint("slug", name="uq_cluster_slug"),
    )
    op.create_index("ix_cluster_organization_id", "cluster", ["organization_id"], unique=False)
    op.create_table(
        "encryption_key",
        sa.Column("id", sa.String(length=250), nullable=False),
        sa.Column("check", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_encryption_key"),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("request_hash", sa.String(length=250), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_idempotency_key"),
        sa.UniqueConstraint("actor_id", "key", name="uq_idempotency_key_actor_id_key"),
    )
    op.create_index("ix_idempotency_key_created_at", "idempotency_key", ["created_at"], unique=False)
    op.create_index(
        "ix_idempotency_key_organization_id", "idempotency_key", ["organization_id"], unique=False
    )
    op.create_table(
        "organization",
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organization"),
    )
    op.create_index("ix_organization_organization_id", "organization", ["organization_id"], unique=False)
    op.create_table(
        "user_account",
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user_account"),
        sa.UniqueConstraint("organization_id", "name", name="uq_user_account_organization_id_name"),
    )
    op.create_index("ix_user_account_organization_id", "user_account", ["organization_id"], unique=False)
    op.create_table(
        "workspace",
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=250), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspace"),
        sa.UniqueConstraint("organization_id", "name", name="uq_workspace_organization_id_name"),
    )
    op.create_index("ix_workspace_organization_id", "workspace", ["organization_id"], unique=False)
    op.create_table(
        "deployment",
        sa.Column("slug", sa.String(length=250), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("live_name", sa.String(length=250), nullable=True),
        sa.Column("workspace_id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(length=250), nullable=False),
        sa.Column("deletion_protection", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("observed_revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.String(length=250), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name="fk_deployment_cluster_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_deployment_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deployment"),
        sa.UniqueConstraint("number", name="uq_deployment_number"),
        sa.UniqueConstraint("organization_id", "live_name", name="uq_deployment_organization_id_live_name"),
        sa.UniqueConstraint("slug", name="uq_deployment_slug"),
    )
    op.create_index("ix_deployment_cluster_id", "deployment", ["cluster_id"], unique=False)
    op.create_index("ix_deployment_organization_id", "deployment", ["organization_id"], unique=False)
    op.create_index("ix_deployment_workspace_id", "deployment", ["workspace_id"], unique=False)
    op.create_table(
        "api_token",
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=250), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=True),
        sa.Column("deployment_id", sa.Uuid(), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("prefix", sa.String(length=250), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployment.id"], name="fk_api_token_deployment_id"),
        sa.ForeignKeyConstraint(["owner_id"], ["user_account.id"], name="fk_api_token_owner_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_api_token_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_token"),
    )
    op.create_index("ix_api_token_organization_id", "api_token", ["organization_id"], unique=False)
    op.create_table(
        "deployment_condition",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=250), nullable=False),
        sa.Column("status", sa.String(length=250), nullable=False),
        sa.Column("reason", sa.String(length=250), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("observed_revision", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name="fk_deployment_condition_deployment_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deployment_condition"),
        sa.UniqueConstraint("deployment_id", "type", name="uq_deployment_condition_deployment_id_type"),
    )
    op.create_index(
        "ix_deployment_condition_organization_id", "deployment_condition", ["organization_id"], unique=False
    )
    op.create_table(
        "deployment_revision",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(length=250), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name="fk_deployment_revision_deployment_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deployment_revision"),
        sa.UniqueConstraint(
            "deployment_id", "revision", name="uq_deployment_revision_deployment_id_revision"
        ),
    )
    op.create_index(
        "ix_deployment_revision_organization_id", "deployment_revision", ["organization_id"], unique=False
    )
    op.create_table(
        "deployment_secret",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name="fk_deployment_secret_deployment_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deployment_secret"),
        sa.UniqueConstraint("deployment_id", "name", name="uq_deployment_secret_deployment_id_name"),
    )
    op.create_index(
        "ix_deployment_secret_organization_id", "deployment_secret", ["organization_id"], unique=False
    )
    op.create_table(
        "operation",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("unfinished", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=250), nullable=False),
        sa.Column("state", sa.String(length=250), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployment.id"], name="fk_operation_deployment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_operation"),
        sa.UniqueConstraint("unfinished", name="uq_operation_unfinished"),
    )
    op.create_index("ix_operation_deployment_id", "operation", ["deployment_id"], unique=False)
    op.create_index("ix_operation_organization_id", "operation", ["organization_id"], unique=False)
    op.create_index("ix_operation_state", "operation", ["state"], unique=False)
    op.create_table(
        "role_binding",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=250), nullable=False),
        sa.Column("workspace_id", sa.Uuid(), nullable=True),
        sa.Column("deployment_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployment.id"], name="fk_role_binding_deployment_id"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_role_binding_user_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name="fk_role_binding_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_role_binding"),
        sa.UniqueConstraint(
            "user_id",
            "role",
            "workspace_id",
            "deployment_id",
            name="uq_role_binding_user_id_role_workspace_id_deployment_id",
        ),
    )
    op.create_index("ix_role_binding_organization_id", "role_binding", ["organization_id"], unique=False)
    op.create_index("ix_role_binding_user_id", "role_binding", ["user_id"], unique=False)
    op.create_table(
        "api_token_value",
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.String(length=250), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["token_id"], ["api_token.id"], name="fk_api_token_value_token_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_token_value"),
        sa.UniqueConstraint("hash", name="uq_api_token_value_hash"),
    )
    op.create_index(
        "ix_api_token_value_organization_id", "api_token_value", ["organization_id"], unique=False
    )
    op.create_index("ix_api_token_value_token_id", "api_token_value", ["token_id"], unique=False)
    op.create_table(
        "operation_step",
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("state", sa.String(length=250), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["operation_id"], ["operation.id"], name="fk_operation_step_operation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_operation_step"),
        sa.UniqueConstraint("operation_id", "position", name="uq_operation_step_operation_id_position"),
    )
    op.create_index("ix_operation_step_organization_id", "operation_step", ["organization_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_operation_step_organization_id", table_name="operation_step")
    op.drop_table("operation_step")
    op.drop_index("ix_api_token_value_token_id", table_name="api_token_value")
    op.drop_index("ix_api_token_value_organization_id", table_name="api_token_value")
    op.drop_table("api_token_value")
    op.drop_index("ix_role_binding_user_id", table_name="role_binding")
    op.drop_index("ix_role_binding_organization_id", table_name="role_binding")
    op.drop_table("role_binding")
    op.drop_index("ix_operation_state", table_name="operation")
    op.drop_index("ix_operation_organization_id", table_name="operation")
    op.drop_index("ix_operation_deployment_id", table_name="operation")
    op.drop_table("operation")
    op.drop_index("ix_deployment_secret_organization_id", table_name="deployment_secret")
    op.drop_table("deployment_secret")
    op.drop_index("ix_deployment_revision_organization_id", table_name="deployment_revision")
    op.drop_table("deployment_revision")
    op.drop_index("ix_deployment_condition_organization_id", table_name="deployment_condition")
    op.drop_table("deployment_condition")
    op.drop_index("ix_api_token_organization_id", table_name="api_token")
    op.drop_table("api_token")
    op.drop_index("ix_deployment_workspace_id", table_name="deployment")
    op.drop_index("ix_deployment_organization_id", table_name="deployment")
    op.drop_index("ix_deployment_cluster_id", table_name="deployment")
    op.drop_table("deployment")
    op.drop_index("ix_workspace_organization_id", table_name="workspace")
    op.drop_table("workspace")
    op.drop_index("ix_user_account_organization_id", table_name="user_account")
    op.drop_table("user_account")
    op.drop_index("ix_organization_organization_id", table_name="organization")
    op.drop_table("organization")
    op.drop_index("ix_idempotency_key_organization_id", table_name="idempotency_key")
    op.drop_index("ix_idempotency_key_created_at", table_name="idempotency_key")
    op.drop_table("idempotency_key")
    op.drop_table("encryption_key")
    op.drop_index("ix_cluster_organization_id", table_name="cluster")
    op.drop_table("cluster")
    op.drop_index("ix_audit_event_organization_id_at", table_name="audit_event")
    op.drop_index("ix_audit_event_organization_id", table_name="audit_event")
    op.drop_index("ix_audit_event_action", table_name="audit_event")
    op.drop_table("audit_event")
