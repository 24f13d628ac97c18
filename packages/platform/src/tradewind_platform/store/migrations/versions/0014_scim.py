"""People and groups that an identity provider pushes by SCIM, and the token by which it does."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scim_token",
        sa.Column("hash", sa.String(length=250), nullable=False),
        sa.Column("prefix", sa.String(length=250), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=250), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scim_token"),
        sa.UniqueConstraint("hash", name="uq_scim_token_hash"),
    )
    op.create_index("ix_scim_token_organization_id", "scim_token", ["organization_id"])
    op.create_table(
        "scim_user",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("user_name", sa.String(length=250), nullable=False),
        sa.Column("user_name_key", sa.String(length=250), nullable=True),
        sa.Column("external_id", sa.String(length=250), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("resource", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scim_user"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_scim_user_user_id_user_account"),
        sa.UniqueConstraint("user_id", name="uq_scim_user_user_id"),
        sa.UniqueConstraint(
            "organization_id", "user_name_key", name="uq_scim_user_organization_id_user_name_key"
        ),
    )
    op.create_index("ix_scim_user_organization_id", "scim_user", ["organization_id"])
    op.create_index("ix_scim_user_external_id", "scim_user", ["external_id"])
    op.create_table(
        "scim_group",
        sa.Column("display_name", sa.String(length=250), nullable=False),
        sa.Column("external_id", sa.String(length=250), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scim_group"),
    )
    op.create_index("ix_scim_group_organization_id", "scim_group", ["organization_id"])
    op.create_index("ix_scim_group_display_name", "scim_group", ["display_name"])
    op.create_index("ix_scim_group_external_id", "scim_group", ["external_id"])
    op.create_table(
        "scim_group_member",
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scim_group_member"),
        sa.ForeignKeyConstraint(
            ["group_id"], ["scim_group.id"], name="fk_scim_group_member_group_id_scim_group"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name="fk_scim_group_member_user_id_user_account"
        ),
        sa.UniqueConstraint("group_id", "user_id", name="uq_scim_group_member_group_id_user_id"),
    )
    op.create_index("ix_scim_group_member_organization_id", "scim_group_member", ["organization_id"])
    op.create_index("ix_scim_group_member_group_id", "scim_group_member", ["group_id"])
    op.create_index("ix_scim_group_member_user_id", "scim_group_member", ["user_id"])
