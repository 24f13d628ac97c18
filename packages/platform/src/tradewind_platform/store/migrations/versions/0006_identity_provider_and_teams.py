"""Sign-in at an identity provider, teams and invites.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create("team",
        _text("name"), _long("description"), sa.Column("idp_managed", sa.Boolean(), nullable=False),
        _moment("created_at"), _text("created_by"), _moment("updated_at"), _text("updated_by"), _number("revision"),
        sa.UniqueConstraint("organization_id", "name", name="uq_team_organization_id_name"),
    )  # fmt: skip
    _create("team_member",
        _row("team_id"), _row("user_id"), _text("source"), _moment("created_at"),
        _foreign("team_member", "team_id", "team"), _foreign("team_member", "user_id", "user_account"),
        sa.UniqueConstraint("team_id", "user_id", name="uq_team_member_team_id_user_id"),
        indexes=("team_id", "user_id"),
    )  # fmt: skip
    _create("team_role_binding",
        _row("team_id"), _text("role"), _row("workspace_id", nullable=True), _row("deployment_id", nullable=True),
        _moment("created_at"), _text("created_by"),
        _foreign("team_role_binding", "team_id", "team"),
        _foreign("team_role_binding", "workspace_id", "workspace"),
        _foreign("team_role_binding", "deployment_id", "deployment"),
        sa.UniqueConstraint(
            "team_id", "role", "workspace_id", "deployment_id",
            name="uq_team_role_binding_team_id_role_workspace_id_deployment_id",
        ),
        indexes=("team_id",),
    )  # fmt: skip
    _create("identity",
        _text("issuer"), _text("subject"), _row("user_id"), _text("email"), _text("full_name"),
        sa.Column("groups", sa.JSON(), nullable=False), _moment("created_at"), _moment("signed_in_at"),
        _foreign("identity", "user_id", "user_account"),
        sa.UniqueConstraint(
            "organization_id", "issuer", "subject", name="uq_identity_organization_id_issuer_subject"
        ),
        indexes=("user_id",),
    )  # fmt: skip
    _create("invite",
        _text("email"), _text("role"), _row("workspace_id", nullable=True), _row("deployment_id", nullable=True),
        _moment("created_at"), _text("created_by"), _moment("expires_at"), _moment("accepted_at", nullable=True),
        _row("accepted_by", nullable=True), _moment("withdrawn_at", nullable=True),
        _foreign("invite", "workspace_id", "workspace"), _foreign("invite", "deployment_id", "deployment"),
        _foreign("invite", "accepted_by", "user_account"),
        indexes=("email",),
    )  # fmt: skip
    _create("sso_connection",
        _text("state"), _text("issuer"), _text("client_id"), _long("client_secret"),
        sa.Column("settings", sa.JSON(), nullable=False), _moment("updated_at"), _text("updated_by"),
        _moment("tested_at", nullable=True), sa.Column("test", sa.JSON(), nullable=False), _number("revision"),
        sa.UniqueConstraint("organization_id", "state", name="uq_sso_connection_organization_id_state"),
    )  # fmt: skip
    _create("sign_in_attempt",
        _text("state_hash"), _text("cookie_hash"), _row("connection_id"), _text("nonce"), _long("verifier"),
        _long("return_to"), sa.Column("max_age", sa.Integer(), nullable=True), _text("tester", nullable=True),
        _moment("created_at"), _moment("used_at", nullable=True),
        _foreign("sign_in_attempt", "connection_id", "sso_connection"),
        sa.UniqueConstraint("state_hash", name="uq_sign_in_attempt_state_hash"),
        indexes=("connection_id", "created_at"),
    )  # fmt: skip
    _create("session_refresh",
        _row("session_id"), _long("token"), _moment("due_at"),
        _foreign("session_refresh", "session_id", "sign_in_session"),
        sa.UniqueConstraint("session_id", name="uq_session_refresh_session_id"),
        indexes=("due_at",),
    )  # fmt: skip


def downgrade() -> None:
    for table in ("session_refresh", "sign_in_attempt", "sso_connection", "invite", "identity", "team_role_binding",
                  "team_member", "team"):  # fmt: skip
        op.drop_table(table)


def _create(table: str, *parts: Any, indexes: tuple[str, ...] = ()) -> None:
    keys = (_row("id"), _row("organization_id"), sa.PrimaryKeyConstraint("id", name=f"pk_{table}"))
    op.create_table(table, *(one for one in parts if isinstance(one, sa.Column)), *keys[:2],
                    *(one for one in parts if not isinstance(one, sa.Column)), keys[2])  # fmt: skip
    for column in ("organization_id", *indexes):
        op.create_index(f"ix_{table}_{column}", table, [column], unique=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length=250), nullable=nullable)


def _long(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _moment(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _row(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def _foreign(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=f"fk_{table}_{column}")
