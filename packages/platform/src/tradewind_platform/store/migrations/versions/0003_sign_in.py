"""Sessions, one-time links and passwords of people.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_in_session",
        sa.Column("hash", sa.String(length=250), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(length=250), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=250), nullable=False),
        sa.Column("address", sa.String(length=250), nullable=False),
        sa.Column("client", sa.String(length=250), nullable=False),
        sa.Column("idp_subject", sa.String(length=250), nullable=True),
        sa.Column("idp_sid", sa.String(length=250), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_sign_in_session_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_session"),
        sa.UniqueConstraint("hash", name="uq_sign_in_session_hash"),
    )
    for column in ("organization_id", "user_id", "idp_subject", "idp_sid"):
        op.create_index(f"ix_sign_in_session_{column}", "sign_in_session", [column], unique=False)
    op.create_table(
        "sign_in_link",
        sa.Column("hash", sa.String(length=250), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_sign_in_link_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_link"),
        sa.UniqueConstraint("hash", name="uq_sign_in_link_hash"),
    )
    for column in ("organization_id", "user_id"):
        op.create_index(f"ix_sign_in_link_{column}", "sign_in_link", [column], unique=False)
    op.create_table(
        "local_password",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_local_password_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_local_password"),
        sa.UniqueConstraint("user_id", name="uq_local_password_user_id"),
    )
    op.create_index("ix_local_password_organization_id", "local_password", ["organization_id"], unique=False)


def downgrade() -> None:
    for table in ("local_password", "sign_in_link", "sign_in_session"):
        op.drop_table(table)
