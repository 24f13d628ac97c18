"""The addresses from which an organization's pages and API may be used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "allowed_addresses",
        sa.Column("networks", sa.JSON(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(length=250), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_allowed_addresses"),
        sa.UniqueConstraint("organization_id", name="uq_allowed_addresses_organization_id"),
    )
    op.create_index("ix_allowed_addresses_organization_id", "allowed_addresses", ["organization_id"])
