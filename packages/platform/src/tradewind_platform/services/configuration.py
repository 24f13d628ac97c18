"""Options of Airflow and environment variables, in the layers of cluster, workspace and Deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import configuration as rules
from tradewind_platform.domain.configuration import Entry, Layer
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.operations import CONFIGURE, Kind, State
from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal, Target
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import (
    cluster_lookup,
    deployment_lookup,
    former_secrets,
    operations,
    revisions,
    workspaces,
)
from tradewind_platform.services.change import Change, require
from tradewind_platform.store.life_tables import ConfigurationEntry, EnvironmentVariable, FormerSecret
from tradewind_platform.store.tables import AuditEvent, Cluster, Deployment, Operation, OperationStep
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import NamedVariable, OperationView
from tradewind_protocol.platform_life import (
    OptionView,
    SetOption,
    SetVariable,
    SetVariables,
    VariableView,
)

_APPLIES: Final = [kind.value for kind in Kind if kind.applies]
Row = ConfigurationEntry | EnvironmentVariable

MOVED: Final = "deployment.move"
"""The action of the audit event of a move to another workspace."""


@dataclass(frozen=True)
class _Scope:
    """A layer of one cluster, workspace or Deployment, and the layers around it."""

    layer: Layer
    id: UUID
    name: str
    target: Target
    around: tuple[tuple[Layer, UUID], ...]
    deployment: Deployment | None = None


def options(db: Session, caller: Principal, layer: Layer, reference: str) -> list[OptionView]:
    """Those that count for the scope, with the layer that each is from."""
    scope = _found(db, caller, layer, reference)
    require(caller, Permission.CONFIG_GET, scope.target)
    rows, since = _rows(db, ConfigurationEntry, scope), _applied_at(db, scope)
    readable = caller.may(Permission.CONFIG_VALUES_GET, scope.target)
    return [
        OptionView(
            option=f"{row.section}.{row.key}",
            value=row.value if readable else "",
            origin=row.scope,
            locked=row.locked,
            updated_at=row.updated_at,
            updated_by=row.updated_by,
            applied=_is_applied(scope, row, since),
        )
        for row in _effective(rows)
    ]


def set_option(change: Change, layer: Layer, reference: str, option: str, ask: SetOption) -> OptionView:
    """Raises Refused POLICY_REFUSED for what the platform owns or an outer layer has locked."""
    scope = _for_change(change, layer, reference)
    section, _, key = option.partition(".")
    _refuse(rules.why_not_option(layer, section, key))
    rows = _rows(change.db, ConfigurationEntry, scope)
    _refuse_locked(rows, scope, (section, key), option)
    row = next((one for one in rows if one.scope == layer and (one.section, one.key) == (section, key)), None)
    change.event.changes = {option: [None if row is None else row.value, ask.value]}
    if row is None:
        row = ConfigurationEntry(scope=layer.value, scope_id=scope.id, section=section, key=key, revision=0)
        change.db.add(row)
    change.expect(row.revision, f"the option {option}")
    row.value, row.locked = ask.value, ask.locked
    _touched(change, row)
    return next(one for one in options(change.db, change.caller, layer, reference) if one.option == option)


def unset_option(change: Change, layer: Layer, reference: str, option: str) -> None:
    """The value of the layer around it counts then. Raises Refused NOT_FOUND."""
    scope = _for_change(change, layer, reference)
    section, _, key = option.partition(".")
    if (section, key) == rules.ALLOW_LIST:
        _refuse(rules.why_not_option(layer, section, key))
    rows = _rows(change.db, ConfigurationEntry, scope)
    row = next((one for one in rows if one.scope == layer and (one.section, one.key) == (section, key)), None)
    if row is None:
        raise Refused(Code.NOT_FOUND, f"the {layer.value} {scope.name!r} does not set the option {option}")
    change.event.changes = {option: [row.value, None]}
    change.db.delete(row)


def variables(
    db: Session, caller: Principal, ring: KeyRing, layer: Layer, reference: str
) -> list[VariableView]:
    """Those that count for the scope, with the layer that each is from. A secret one has no value."""
    scope = _found(db, caller, layer, reference)
    require(caller, Permission.CONFIG_GET, scope.target)
    rows, since = _rows(db, EnvironmentVariable, scope), _applied_at(db, scope)
    readable = caller.may(Permission.CONFIG_VALUES_GET, scope.target)
    return [
        VariableView(
            name=row.key,
            value=_value(ring, row) if readable and not row.is_secret else "",
            is_secret=row.is_secret,
            origin=row.scope,
            locked=row.locked,
            updated_at=row.updated_at,
            updated_by=row.updated_by,
            applied=_is_applied(scope, row, since),
        )
        for row in _effective(rows)
    ]


def set_variable(change: Change, layer: Layer, reference: str, name: str, ask: SetVariable) -> VariableView:
    """Raises Refused POLICY_REFUSED for what decides about code, belongs to the platform or is locked."""
    scope = _for_change(change, layer, reference)
    _set_variable(change, scope, name, ask, expect=True)
    return _of_name(change, layer, reference, name)


def set_variables(change: Change, layer: Layer, reference: str, ask: SetVariables) -> None:
    """All of them or none; the others stay."""
    scope = _for_change(change, layer, reference)
    for one in ask.variables:
        _set_variable(change, scope, one.name, one, expect=False)


def unset_variable(change: Change, layer: Layer, reference: str, name: str) -> None:
    """The value of the layer around it counts then. Raises Refused NOT_FOUND."""
    scope = _for_change(change, layer, reference)
    row = next(
        (
            one
            for one in _rows(change.db, EnvironmentVariable, scope)
            if one.scope == layer and one.key == name
        ),
        None,
    )
    if row is None:
        raise Refused(Code.NOT_FOUND, f"the {layer.value} {scope.name!r} does not set the variable {name}")
    change.event.changes = {name: "removed"}
    former_secrets.keep(change.db, change.ring, row, now=change.now)
    change.db.delete(row)


def apply(change: Change, reference: str) -> OperationView:
    """Restart the processes of a Deployment with what is set now: a new revision of the same specification."""
    row = deployment_lookup.for_change(change, reference, Permission.CONFIG_UPDATE)
    revisions.add(change, row, revisions.of(change.db, row))
    return operations.begun(change, row, Kind.UPDATE)


def of_deployment(
    db: Session, ring: KeyRing, row: Deployment
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """What counts for a Deployment: options by section, and environment variables."""
    scope = _of_deployment(row)
    found: dict[str, dict[str, str]] = {}
    for entry in _effective(_rows(db, ConfigurationEntry, scope)):
        found.setdefault(entry.section, {})[entry.key] = entry.value
    environment = {one.key: _value(ring, one) for one in _effective(_rows(db, EnvironmentVariable, scope))}
    return found, environment


def secret_values(db: Session, ring: KeyRing, row: Deployment) -> list[str]:
    """What the secret environment variables around a Deployment are and were, also those of workspaces that it has left, and those that
    an inner layer overrides: its processes have them, or had them."""
    moves = select(AuditEvent.former_workspace_id).where(
        AuditEvent.action == MOVED,
        AuditEvent.deployment_id == row.id,
        AuditEvent.former_workspace_id.is_not(None),
    )
    left = [one for one in db.scalars(moves) if one is not None]
    scopes = {row.cluster_id, row.workspace_id, row.id, *left}
    present = select(EnvironmentVariable).where(
        EnvironmentVariable.is_secret, EnvironmentVariable.scope_id.in_(scopes)
    )
    return [
        *(_value(ring, one) for one in db.scalars(present)),
        *former_secrets.of(db, ring, scopes),
    ]


def has_changed_since(db: Session, row: Deployment, moment: datetime) -> bool:
    """Whether something was set after that moment which counts for a Deployment, or counts since then. What was removed is not known."""
    moved = row.layers_changed_at
    return (moved is not None and moved > moment) or any(one.updated_at > moment for one in _counted(db, row))


def is_applied(db: Session, row: Deployment) -> bool:
    """Whether the processes of a Deployment have all that counts for it."""
    scope = _of_deployment(row)
    since = _applied_at(db, scope)
    return all(_is_applied(scope, one, since) for one in _counted(db, row))


def give_at_creation(
    change: Change, row: Deployment, variables: Sequence[NamedVariable], networks: Sequence[str]
) -> None:
    """What a new Deployment's processes have from their first start on. Raises Refused as a change of each would."""
    scope = _of_deployment(row)
    if variables:
        change.require(Permission.CONFIG_UPDATE, scope.target)
    for one in variables:
        _set_variable(change, scope, one.name, one, expect=False)
    if not networks:
        return
    change.require(Permission.ALLOW_LIST_UPDATE, scope.target)
    section, key = rules.ALLOW_LIST
    _refuse_locked(_rows(change.db, ConfigurationEntry, scope), scope, rules.ALLOW_LIST, f"{section}.{key}")
    value = ", ".join(str(one) for one in networks)
    change.event.changes = {**change.event.changes, key: [None, value]}
    entry = ConfigurationEntry(
        scope=scope.layer.value,
        scope_id=scope.id,
        section=section,
        key=key,
        value=value,
        locked=False,
        revision=0,
    )
    change.db.add(entry)
    _touched(change, entry)


def forget(db: Session, deployment: UUID) -> None:
    """What a Deployment that is purged has set."""
    for table in (ConfigurationEntry, EnvironmentVariable, FormerSecret):
        for row in db.scalars(select(table).where(table.scope_id == deployment)):
            db.delete(row)


# ---- parts


def _set_variable(change: Change, scope: _Scope, name: str, ask: SetVariable, *, expect: bool) -> None:
    _refuse(rules.why_not_variable(scope.layer, name))
    rows = _rows(change.db, EnvironmentVariable, scope)
    _refuse_locked(rows, scope, name, name)
    row = next((one for one in rows if one.scope == scope.layer and one.key == name), None)
    # A value stands in no audit trail: what is no secret today may be one tomorrow.
    change.event.changes = {**change.event.changes, name: "set" if row is None else "changed"}
    if row is None:
        row = EnvironmentVariable(
            id=new_id(), scope=scope.layer.value, scope_id=scope.id, key=name, revision=0
        )
        change.db.add(row)
    else:
        former_secrets.keep(change.db, change.ring, row, now=change.now, unless=ask.value)
    if expect:
        change.expect(row.revision, f"the variable {name}")
    row.value = change.ring.encrypt(ask.value, row=row_of(EnvironmentVariable, row.id, "value"))
    row.is_secret, row.locked = ask.is_secret, ask.locked
    _touched(change, row)


def _of_name(change: Change, layer: Layer, reference: str, name: str) -> VariableView:
    found = variables(change.db, change.caller, change.ring, layer, reference)
    return next(one for one in found if one.name == name)


def _touched(change: Change, row: Row) -> None:
    row.updated_at, row.updated_by = change.now, change.caller.name
    row.revision += 1
    change.db.flush()


def _refuse(reason: str) -> None:
    if reason:
        raise Refused(Code.POLICY_REFUSED, reason, remedy="Leave it to the platform, or choose another name.")


def _refuse_locked(rows: Sequence[Any], scope: _Scope, key: Any, name: str) -> None:
    locked = rules.locked_by([_entry(one) for one in rows], key, scope.layer)
    if locked is not None:
        raise Refused(
            Code.POLICY_REFUSED,
            f"{name} is locked by the layer of the {locked.value}",
            remedy=f"Ask who may change the {locked.value} to unlock it.",
        )


def _entry(row: Any) -> Entry[Any]:
    key = (row.section, row.key) if isinstance(row, ConfigurationEntry) else row.key
    return Entry(Layer(row.scope), key, row.value, row.locked)


def _effective(rows: Sequence[Any]) -> list[Any]:
    by_entry = {(entry.layer, entry.key): row for row in rows for entry in (_entry(row),)}
    counted = rules.effective(map(_entry, rows))
    return [by_entry[entry.layer, key] for key, entry in sorted(counted.items())]


def _counted(db: Session, row: Deployment) -> list[Row]:
    """Options and variables that count for a Deployment."""
    scope = _of_deployment(row)
    return [
        one
        for table in (ConfigurationEntry, EnvironmentVariable)
        for one in _effective(_rows(db, table, scope))
    ]


def _value(ring: KeyRing, row: EnvironmentVariable) -> str:
    return ring.decrypt(row.value, row=row_of(EnvironmentVariable, row.id, "value"))


def _rows(db: Session, table: type[Any], scope: _Scope) -> list[Any]:
    wanted = [(scope.layer, scope.id), *scope.around]
    conditions = [(table.scope == layer.value) & (table.scope_id == id) for layer, id in wanted]
    return list(db.scalars(select(table).where(or_(*conditions))))


def _applied_at(db: Session, scope: _Scope) -> datetime | None:
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


def _is_applied(scope: _Scope, row: Row, since: datetime | None) -> bool:
    return scope.deployment is None or (since is not None and row.updated_at <= since)


def _for_change(change: Change, layer: Layer, reference: str) -> _Scope:
    change.event.target = f"{layer.value}:{reference}"
    scope = _found(change.db, change.caller, layer, reference)
    change.event.target = f"{layer.value}:{scope.name}"
    change.event.workspace, change.event.deployment = scope.target.workspace, scope.target.deployment
    needed = Permission.CLUSTERS_UPDATE if layer is Layer.CLUSTER else Permission.CONFIG_UPDATE
    change.require(needed, scope.target)
    return scope


def _found(db: Session, caller: Principal, layer: Layer, reference: str) -> _Scope:
    if layer is Layer.DEPLOYMENT:
        return _of_deployment(deployment_lookup.found(db, caller, reference))
    if layer is Layer.WORKSPACE:
        workspace = workspaces.found(db, caller, reference)
        return _Scope(layer, workspace.id, workspace.name, Target(workspace.id), ())
    require(caller, Permission.CLUSTERS_GET, ORGANIZATION)
    cluster: Cluster = cluster_lookup.found(db, reference)
    return _Scope(layer, cluster.id, cluster.name, ORGANIZATION, ())


def _of_deployment(row: Deployment) -> _Scope:
    around = ((Layer.WORKSPACE, row.workspace_id), (Layer.CLUSTER, row.cluster_id))
    return _Scope(Layer.DEPLOYMENT, row.id, row.name, deployment_lookup.target(row), around, row)
