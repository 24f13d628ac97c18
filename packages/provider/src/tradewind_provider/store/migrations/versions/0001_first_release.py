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
        "tradewind_agent_token",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("site", sa.String(length=250), server_default="default", nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("shown", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deleted_by", sa.String(length=250), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tradewind_agent_token")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tradewind_agent_token_token_hash")),
    )
    op.create_table(
        "tradewind_attempt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("executor", sa.String(length=250), nullable=True),
        sa.Column("dag_id", sa.String(length=250), nullable=True),
        sa.Column("run_id", sa.String(length=250), nullable=True),
        sa.Column("task_id", sa.String(length=250), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("site", sa.String(length=250), nullable=True),
        sa.Column("bundle", sa.String(length=250), nullable=True),
        sa.Column("queue", sa.String(length=250), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offered_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("missing_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("avoid_session_id", sa.Uuid(), nullable=True),
        sa.Column("handed_back_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("signal", sa.String(length=20), nullable=True),
        sa.Column("task_state", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("scheduler_job_id", sa.Integer(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("traceparent", sa.String(length=60), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tradewind_attempt")),
    )
    op.create_index(
        "ix_tradewind_attempt_claim",
        "tradewind_attempt",
        ["state", "site", "queue", sa.text("priority DESC"), "created_at"],
        unique=False,
    )
    op.create_index("ix_tradewind_attempt_ended", "tradewind_attempt", ["ended_at"], unique=False)
    op.create_index(
        "ix_tradewind_attempt_report",
        "tradewind_attempt",
        ["scheduler_job_id", "state", "reported_at"],
        unique=False,
    )
    op.create_index(
        "ix_tradewind_attempt_session", "tradewind_attempt", ["session_id", "state"], unique=False
    )
    op.create_index("ix_tradewind_attempt_subject", "tradewind_attempt", ["subject_id"], unique=False)
    op.create_table(
        "tradewind_command",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("verb", sa.String(length=30), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=250), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("carried_out_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tradewind_command")),
    )
    op.create_index(
        "ix_tradewind_command_session_id", "tradewind_command", ["session_id", "carried_out_at"], unique=False
    )
    op.create_table(
        "tradewind_dag_bundle",
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("site", sa.String(length=250), server_default="default", nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("agent_name", sa.String(length=250), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("instance", sa.Uuid(), nullable=True),
        sa.Column("key_print", sa.String(length=64), nullable=True),
        sa.Column("mark", sa.String(length=32), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tradewind_dag_bundle")),
    )
    op.create_index("ix_tradewind_dag_bundle_session", "tradewind_dag_bundle", ["session_id"], unique=False)
    op.create_table(
        "tradewind_dag_callback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bundle", sa.String(length=250), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("instance", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tradewind_dag_callback")),
    )
    op.create_index(
        "ix_tradewind_dag_callback_session", "tradewind_dag_callback", ["session_id"], unique=False
    )
    op.create_table(
        "tradewind_dag_file",
        sa.Column("bundle", sa.String(length=250), nullable=False),
        sa.Column("path", sa.String(length=1000), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=True),
        sa.Column("dag_ids", sa.JSON(), nullable=False),
        sa.Column("blocked", sa.JSON(), nullable=False),
        sa.Column("error_paths", sa.JSON(), nullable=False),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bundle", "path", name=op.f("pk_tradewind_dag_file")),
    )
    op.create_table(
        "tradewind_event",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("actor", sa.String(length=250), nullable=False),
        sa.Column("subject", sa.String(length=250), nullable=False),
        sa.Column("address", sa.String(length=64), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tradewind_event")),
    )
    op.create_index("ix_tradewind_event_at", "tradewind_event", ["at"], unique=False)
    op.create_table(
        "tradewind_former_token_value",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("shown", sa.String(length=40), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_by", sa.String(length=250), nullable=False),
        sa.Column("good_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_tradewind_former_token_value")),
    )
    op.create_index(
        "ix_tradewind_former_token_value_token_id", "tradewind_former_token_value", ["token_id"], unique=False
    )
    op.create_table(
        "tradewind_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("instance", sa.Uuid(), nullable=False),
        sa.Column("agent_key_hash", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("token_id", sa.Uuid(), nullable=False),
        sa.Column("site", sa.String(length=250), server_default="default", nullable=False),
        sa.Column("bought_with", sa.String(length=64), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("components", sa.JSON(), nullable=False),
        sa.Column("environments", sa.JSON(), nullable=False),
        sa.Column("bundles", sa.JSON(), nullable=False),
        sa.Column("trigger_capacity", sa.Integer(), nullable=False),
        sa.Column("policy", sa.String(length=20), nullable=False),
        sa.Column("version", sa.String(length=50), nullable=False),
        sa.Column("host", sa.JSON(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=True),
        sa.Column("previous_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_beat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("room", sa.JSON(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("cordoned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cordoned_by", sa.String(length=250), nullable=True),
        sa.Column("cordoned_reason", sa.Text(), nullable=True),
        sa.Column("draining_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("draining_by", sa.String(length=250), nullable=True),
        sa.Column("draining_reason", sa.Text(), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("noted_state", sa.String(length=20), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_how", sa.String(length=20), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tradewind_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tradewind_session_token_hash")),
    )
    op.create_index("ix_tradewind_session_agent_id", "tradewind_session", ["agent_id"], unique=False)
    op.create_index("ix_tradewind_session_ended_at", "tradewind_session", ["ended_at"], unique=False)
    op.create_index(
        "ix_tradewind_session_previous_hash", "tradewind_session", ["previous_hash"], unique=False
    )
    op.create_index("ix_tradewind_session_token_id", "tradewind_session", ["token_id"], unique=False)
    op.create_index(
        "uq_tradewind_session_live",
        "tradewind_session",
        ["agent_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "tradewind_setting",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=250), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tradewind_setting")),
    )
    op.create_table(
        "tradewind_site_access",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site", sa.String(length=250), nullable=False),
        sa.Column("other", sa.String(length=250), nullable=False),
        sa.Column("access", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tradewind_site_access")),
        sa.UniqueConstraint(
            "site", "other", "access", name=op.f("uq_tradewind_site_access_site_other_access")
        ),
    )
    op.create_table(
        "tradewind_trigger_source",
        sa.Column("source", sa.Uuid(), nullable=False),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("applied_through", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_tradewind_trigger_source")),
    )
    op.create_index(
        "ix_tradewind_trigger_source_updated_at", "tradewind_trigger_source", ["updated_at"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_tradewind_trigger_source_updated_at", table_name="tradewind_trigger_source")
    op.drop_table("tradewind_trigger_source")
    op.drop_table("tradewind_site_access")
    op.drop_table("tradewind_setting")
    op.drop_index(
        "uq_tradewind_session_live",
        table_name="tradewind_session",
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_index("ix_tradewind_session_token_id", table_name="tradewind_session")
    op.drop_index("ix_tradewind_session_previous_hash", table_name="tradewind_session")
    op.drop_index("ix_tradewind_session_ended_at", table_name="tradewind_session")
    op.drop_index("ix_tradewind_session_agent_id", table_name="tradewind_session")
    op.drop_table("tradewind_session")
    op.drop_index("ix_tradewind_former_token_value_token_id", table_name="tradewind_former_token_value")
    op.drop_table("tradewind_former_token_value")
    op.drop_index("ix_tradewind_event_at", table_name="tradewind_event")
    op.drop_table("tradewind_event")
    op.drop_table("tradewind_dag_file")
    op.drop_index("ix_tradewind_dag_callback_session", table_name="tradewind_dag_callback")
    op.drop_table("tradewind_dag_callback")
    op.drop_index("ix_tradewind_dag_bundle_session", table_name="tradewind_dag_bundle")
    op.drop_table("tradewind_dag_bundle")
    op.drop_index("ix_tradewind_command_session_id", table_name="tradewind_command")
    op.drop_table("tradewind_command")
    op.drop_index("ix_tradewind_attempt_subject", table_name="tradewind_attempt")
    op.drop_index("ix_tradewind_attempt_session", table_name="tradewind_attempt")
    op.drop_index("ix_tradewind_attempt_report", table_name="tradewind_attempt")
    op.drop_index("ix_tradewind_attempt_ended", table_name="tradewind_attempt")
    op.drop_index("ix_tradewind_attempt_claim", table_name="tradewind_attempt")
    op.drop_table("tradewind_attempt")
    op.drop_table("tradewind_agent_token")
