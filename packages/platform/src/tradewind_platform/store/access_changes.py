"""Counts up an organization's access revision in the transaction of any change that it stands for.

A table counts unless it is named here: a new one that says nothing wakes the Deployments too often, never too seldom.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, event, inspect, select, update
from sqlalchemy.orm import ORMExecuteState, Session, object_mapper

from tradewind_platform.store.access_tables import AccessRevision
from tradewind_platform.store.base import Scoped
from tradewind_platform.store.tables import Organization

_IRRELEVANT: Final = frozenset(
    {
        "access_revision",
        "allowed_addresses",
        "audit_event",
        "authorization_code",
        "backup",
        "cluster",
        "cluster_controller",
        "cluster_document",
        "cluster_task",
        "cluster_token",
        "cluster_workspace",
        "configuration_entry",
        "deployment_condition",
        "deployment_credential",
        "deployment_revision",
        "deployment_secret",
        "encryption_key",
        "environment_variable",
        "former_secret",
        "hibernation",
        "idempotency_key",
        "identity",
        "invite",
        "local_password",
        "operation",
        "operation_step",
        "recurring_work",
        "scim_group",
        "scim_group_member",
        "scim_token",
        "scim_user",
        "session_refresh",
        "sign_in_attempt",
        "sign_in_link",
        "sso_connection",
        "terminal_code",
    }
)
"""Tables that no role depends on."""

_COLUMNS: Final[dict[str, frozenset[str]]] = {
    "api_token": frozenset(
        {"name", "role", "workspace_id", "deployment_id", "owner_id", "expires_at", "deleted_at"}
    ),
    "custom_role": frozenset({"permissions", "airflow_role", "workspaces", "deleted_at"}),
    "deployment": frozenset({"workspace_id"}),
    "sign_in_session": frozenset({"ended_at"}),
    "user_account": frozenset({"name", "disabled_at"}),
    "workspace": frozenset(),
}
"""Of these, changes of these columns count. A new row does not: it has no role before a row of another table gives it one."""

_CHANGED: Final = "access changed"
_EVERYWHERE: Final = UUID(int=0)


def install(session_class: type[Session]) -> None:
    """Count the changes of sessions of that class. `info["committed"]` is called with each organization whose revision has changed."""

    @event.listens_for(session_class, "before_flush")
    def note_rows(session: Session, *_: Any) -> None:
        noted = session.info.setdefault(_CHANGED, set())
        for row in (*session.new, *session.deleted, *session.dirty):
            if isinstance(row, Scoped) and _counts(
                row, is_new=row in session.new, is_deleted=row in session.deleted
            ):
                noted.add(_of(row, session))

    @event.listens_for(session_class, "do_orm_execute")
    def note_statements(state: ORMExecuteState) -> None:
        if not (state.is_update or state.is_delete):
            return
        table = getattr(state.statement, "table", None)
        if isinstance(table, Table) and table.name not in _IRRELEVANT:
            scope = state.session.info.get("organization")
            state.session.info.setdefault(_CHANGED, set()).add(
                scope if isinstance(scope, UUID) else _EVERYWHERE
            )

    @event.listens_for(session_class, "before_commit")
    def count(session: Session) -> None:
        # At the very end, so that the row is locked for no longer than the commit takes.
        session.flush()
        noted: set[UUID] = session.info.get(_CHANGED, set())
        if not noted:
            return
        connection = session.connection()
        if _EVERYWHERE in noted:
            noted.discard(_EVERYWHERE)
            noted.update(connection.scalars(select(Organization.__table__.c.id)))
        table = AccessRevision.__table__
        for organization in sorted(noted):
            counted = connection.execute(
                update(table).where(table.c.id == organization).values(revision=table.c.revision + 1)  # type: ignore[arg-type]
            )
            if counted.rowcount == 0:
                values = {"id": organization, "organization_id": organization, "revision": 1}
                connection.execute(table.insert().values(values))  # type: ignore[attr-defined]

    @event.listens_for(session_class, "after_commit")
    def tell(session: Session) -> None:
        for organization in session.info.pop(_CHANGED, set()):
            session.info["committed"](organization)

    @event.listens_for(session_class, "after_rollback")
    def forget(session: Session) -> None:
        session.info.pop(_CHANGED, None)


def _counts(row: Scoped, *, is_new: bool, is_deleted: bool) -> bool:
    table = object_mapper(row).persist_selectable.name  # type: ignore[attr-defined]
    if table in _IRRELEVANT:
        return False
    columns = _COLUMNS.get(table)
    if is_deleted:
        return True
    if is_new:
        return columns is None
    changed = {one.key for one in inspect(row).attrs if one.history.has_changes()}
    return bool(changed if columns is None else changed & columns)


def _of(row: Scoped, session: Session) -> UUID:
    scope = session.info.get("organization")
    return row.organization_id or (scope if isinstance(scope, UUID) else _EVERYWHERE)
