"""Codes of terminals that are signed in, and tokens that end with the session that gave them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "terminal_code",
        sa.Column("hash", sa.String(length=250), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("machine", sa.String(length=250), nullable=False),
        sa.Column("redirect_uri", sa.String(length=250), nullable=False),
        sa.Column("challenge", sa.String(length=250), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("token_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_terminal_code"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name="fk_terminal_code_user_id_user_account"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sign_in_session.id"], name="fk_terminal_code_session_id_sign_in_session"
        ),
        sa.UniqueConstraint("hash", name="uq_terminal_code_hash"),
    )
    op.create_index("ix_terminal_code_organization_id", "terminal_code", ["organization_id"])
    op.add_column("api_token", sa.Column("session_id", sa.Uuid(), nullable=True))
