"""The options and variables that count for a scope, and whether the processes of a Deployment have them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import configuration as rules
from tradewind_platform.domain.configuration import Entry, Layer
from tradewind_platform.domain.operations import CONFIGURE, Kind, State
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import configuration_scopes, former_secrets, former_workspaces
from tradewind_platform.services.configuration_scopes import Scope
from tradewind_platform.store.life_tables import ConfigurationEntry, EnvironmentVariable
from tradewind_platform.store.tables import Deployment, Operation, OperationStep

Row = ConfigurationEntry | EnvironmentVariable
_APPLIES: Final = [kind.value for kind in Kind if kind.applies]


def rows_of(db: Session, table: type[Any], scope: Scope) -> list[Any]:
    """What is set in the scope and in the layers around it, whether it counts or not."""
    wanted = [(scope.layer, scope.id), *scope.around]
    conditions = [(table.scope == layer.value) & (table.scope_id == id) for layer, id in wanted]
    return list(db.scalars(select(table).where(or_(*conditions))))


def entry_of(row: Any) -> Entry[Any]:
    """A row, as the rules of the layers know it."""
    key = (row.section, row.key) if isinstance(row, ConfigurationEntry) else row.key
    return Entry(Layer(row.scope), key, row.value, row.locked)


def effective(rows: Sequence[Any]) -> list[Any]:
    """Of these rows those that count, by key."""
    by_entry = {(entry.layer, entry.key): row for row in rows for entry in (entry_of(row),)}
    counted = rules.effective(map(entry_of, rows))
    return [by_entry[entry.layer, key] for key, entry in sorted(counted.items())]


def value_of(ring: KeyRing, row: EnvironmentVariable) -> str:
    return ring.decrypt(row.value, row=row_of(EnvironmentVariable, row.id, "value"))


def of_deployment(
    db: Session, ring: KeyRing, row: Deployment
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """What counts for a Deployment: options by section, and environment variables."""
    scope = configuration_scopes.of_deployment(row)
    options: dict[str, dict[str, str]] = {}
    for entry in effective(rows_of(db, ConfigurationEntry, scope)):
        options.setdefault(entry.section, {})[entry.key] = entry.value
    variables = effective(rows_of(db, EnvironmentVariable, scope))
    return options, {one.key: value_of(ring, one) for one in variables}


def secret_values(db: Session, ring: KeyRing, row: Deployment) -> list[str]:
    """What the secret environment variables around a Deployment are and were, also those of workspaces that it has left, and those that
    an inner layer overrides: its processes have them, or had them."""
    scopes = {row.cluster_id, row.workspace_id, row.id, *former_workspaces.of(db, row)}
    present = select(EnvironmentVariable).where(
        EnvironmentVariable.is_secret, EnvironmentVariable.scope_id.in_(scopes)
    )
    return [
        *(value_of(ring, one) for one in db.scalars(present)),
        *former_secrets.of(db, ring, scopes),
    ]


def has_changed_since(db: Session, row: Deployment, moment: datetime) -> bool:
    """Whether something was set after that moment which counts for a Deployment, or counts since then. What was removed is not known."""
    moved = row.layers_changed_at
    return (moved is not None and moved > moment) or any(one.updated_at > moment for one in _counted(db, row))


def is_applied(db: Session, row: Deployment) -> bool:
    """Whether the processes of a Deployment have all that counts for it."""
    scope = configuration_scopes.of_deployment(row)
    since = applied_at(db, scope)
    return all(is_row_applied(scope, one, since) for one in _counted(db, row))


def applied_at(db: Session, scope: Scope) -> datetime | None:
    """When an operation last began to give the Deployment's processes what is set. None: none did, or none since a move changed it."""
    if scope.deployment is None:
        return None
    changed = scope.deployment.layers_changed_at
    gives = and_(OperationStep.operation_id == Operation.id, OperationStep.name == CONFIGURE)
    statement = (
        select(func.coalesce(OperationStep.started_at, Operation.started_at))
        .select_from(Operation)
        .outerjoin(OperationStep, gives)
        .where(
            Operation.deployment_id == scope.deployment.id,
            Operation.kind.in_(_APPLIES),
            Operation.state == State.SUCCEEDED.value,
        )
    )
    since = db.scalar(statement.order_by(Operation.id.desc()).limit(1))
    if since is not None and changed is not None and since < changed:
        return None  # any value that counts now may be one that the processes never had
    return since


def is_row_applied(scope: Scope, row: Row, since: datetime | None) -> bool:
    """Whether the processes have a row that counts; `since` is what `applied_at` says. True for a layer without processes."""
    return scope.deployment is None or (since is not None and row.updated_at <= since)


def _counted(db: Session, row: Deployment) -> list[Row]:
    """Options and variables that count for a Deployment."""
    scope = configuration_scopes.of_deployment(row)
    return [
        one
        for table in (ConfigurationEntry, EnvironmentVariable)
        for one in effective(rows_of(db, table, scope))
    ]
