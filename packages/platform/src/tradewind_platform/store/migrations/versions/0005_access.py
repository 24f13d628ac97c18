"""The access that Deployments replicate, their credentials, and codes of sign-in.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "access_revision",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_access_revision"),
    )
    op.create_index("ix_access_revision_organization_id", "access_revision", ["organization_id"])
    op.create_table(
        "deployment_credential",
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.String(length=250), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name="fk_deployment_credential_deployment_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deployment_credential"),
        sa.UniqueConstraint("deployment_id", name="uq_deployment_credential_deployment_id"),
    )
    op.create_index("ix_deployment_credential_organization_id", "deployment_credential", ["organization_id"])
    op.create_table(
        "authorization_code",
        sa.Column("hash", sa.String(length=250), nullable=False),
        sa.Column("deployment_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("redirect_uri", sa.String(length=250), nullable=False),
        sa.Column("challenge", sa.String(length=250), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployment.id"], name="fk_authorization_code_deployment_id"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_authorization_code_user_id"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sign_in_session.id"], name="fk_authorization_code_session_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_authorization_code"),
        sa.UniqueConstraint("hash", name="uq_authorization_code_hash"),
    )
    for column in ("organization_id", "deployment_id", "session_id"):
        op.create_index(f"ix_authorization_code_{column}", "authorization_code", [column])


def downgrade() -> None:
    for table in ("authorization_code", "deployment_credential", "access_revision"):
        op.drop_table(table)
