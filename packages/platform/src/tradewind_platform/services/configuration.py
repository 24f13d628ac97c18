"""Options of Airflow and environment variables, in the layers of cluster, workspace and Deployment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import configuration as rules
from tradewind_platform.domain.configuration import Layer
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.operations import Kind
from tradewind_platform.domain.roles import Permission, Principal
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import (
    configuration_scopes,
    deployment_lookup,
    former_secrets,
    operations,
    revisions,
)
from tradewind_platform.services.change import Change, require
from tradewind_platform.services.configuration_scopes import Scope
from tradewind_platform.services.effective_configuration import (
    Row,
    applied_at,
    effective,
    entry_of,
    is_row_applied,
    rows_of,
    value_of,
)
from tradewind_platform.store.life_tables import ConfigurationEntry, EnvironmentVariable, FormerSecret
from tradewind_platform.store.tables import Deployment
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import NamedVariable, OperationView
from tradewind_protocol.platform_life import (
    OptionView,
    SetOption,
    SetVariable,
    SetVariables,
    VariableView,
)


def options(db: Session, caller: Principal, layer: Layer, reference: str) -> list[OptionView]:
    """Those that count for the scope, with the layer that each is from."""
    scope = configuration_scopes.found(db, caller, layer, reference)
    require(caller, Permission.CONFIG_GET, scope.target)
    rows, since = rows_of(db, ConfigurationEntry, scope), applied_at(db, scope)
    readable = caller.may(Permission.CONFIG_VALUES_GET, scope.target)
    return [
        OptionView(
            option=f"{row.section}.{row.key}",
            value=row.value if readable else "",
            origin=row.scope,
            locked=row.locked,
            updated_at=row.updated_at,
            updated_by=row.updated_by,
            applied=is_row_applied(scope, row, since),
        )
        for row in effective(rows)
    ]


def set_option(change: Change, layer: Layer, reference: str, option: str, ask: SetOption) -> OptionView:
    """Raises Refused POLICY_REFUSED for what the platform owns or an outer layer has locked."""
    scope = configuration_scopes.for_change(change, layer, reference)
    section, _, key = option.partition(".")
    _refuse(rules.why_not_option(layer, section, key))
    rows = rows_of(change.db, ConfigurationEntry, scope)
    _refuse_locked(rows, scope, (section, key), option)
    row = _own(rows, scope, (section, key))
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
    scope = configuration_scopes.for_change(change, layer, reference)
    section, _, key = option.partition(".")
    if (section, key) == rules.ALLOW_LIST:
        _refuse(rules.why_not_option(layer, section, key))
    rows = rows_of(change.db, ConfigurationEntry, scope)
    row = _own(rows, scope, (section, key))
    if row is None:
        raise Refused(Code.NOT_FOUND, f"the {layer.value} {scope.name!r} does not set the option {option}")
    change.event.changes = {option: [row.value, None]}
    change.db.delete(row)


def variables(
    db: Session, caller: Principal, ring: KeyRing, layer: Layer, reference: str
) -> list[VariableView]:
    """Those that count for the scope, with the layer that each is from. A secret one has no value."""
    scope = configuration_scopes.found(db, caller, layer, reference)
    require(caller, Permission.CONFIG_GET, scope.target)
    rows, since = rows_of(db, EnvironmentVariable, scope), applied_at(db, scope)
    readable = caller.may(Permission.CONFIG_VALUES_GET, scope.target)
    return [
        VariableView(
            name=row.key,
            value=value_of(ring, row) if readable and not row.is_secret else "",
            is_secret=row.is_secret,
            origin=row.scope,
            locked=row.locked,
            updated_at=row.updated_at,
            updated_by=row.updated_by,
            applied=is_row_applied(scope, row, since),
        )
        for row in effective(rows)
    ]


def set_variable(change: Change, layer: Layer, reference: str, name: str, ask: SetVariable) -> VariableView:
    """Raises Refused POLICY_REFUSED for what decides about code, belongs to the platform or is locked."""
    scope = configuration_scopes.for_change(change, layer, reference)
    _set_variable(change, scope, name, ask, expect=True)
    return _of_name(change, layer, reference, name)


def set_variables(change: Change, layer: Layer, reference: str, ask: SetVariables) -> None:
    """All of them or none; the others stay."""
    scope = configuration_scopes.for_change(change, layer, reference)
    for one in ask.variables:
        _set_variable(change, scope, one.name, one, expect=False)


def unset_variable(change: Change, layer: Layer, reference: str, name: str) -> None:
    """The value of the layer around it counts then. Raises Refused NOT_FOUND."""
    scope = configuration_scopes.for_change(change, layer, reference)
    row = _own(rows_of(change.db, EnvironmentVariable, scope), scope, name)
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


def give_at_creation(
    change: Change, row: Deployment, variables: Sequence[NamedVariable], networks: Sequence[str]
) -> None:
    """What a new Deployment's processes have from their first start on. Raises Refused as a change of each would."""
    scope = configuration_scopes.of_deployment(row)
    if variables:
        change.require(Permission.CONFIG_UPDATE, scope.target)
    for one in variables:
        _set_variable(change, scope, one.name, one, expect=False)
    if not networks:
        return
    change.require(Permission.ALLOW_LIST_UPDATE, scope.target)
    section, key = rules.ALLOW_LIST
    _refuse_locked(rows_of(change.db, ConfigurationEntry, scope), scope, rules.ALLOW_LIST, f"{section}.{key}")
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


def _set_variable(change: Change, scope: Scope, name: str, ask: SetVariable, *, expect: bool) -> None:
    _refuse(rules.why_not_variable(scope.layer, name))
    rows = rows_of(change.db, EnvironmentVariable, scope)
    _refuse_locked(rows, scope, name, name)
    row = _own(rows, scope, name)
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


def _own(rows: Sequence[Any], scope: Scope, key: Any) -> Any:
    """The row of a key that the scope itself has, not a layer around it; None without one."""
    entries = ((entry_of(row), row) for row in rows)
    return next((row for entry, row in entries if (entry.layer, entry.key) == (scope.layer, key)), None)


def _touched(change: Change, row: Row) -> None:
    row.updated_at, row.updated_by = change.now, change.caller.name
    row.revision += 1
    change.db.flush()


def _refuse(reason: str) -> None:
    if reason:
        raise Refused(Code.POLICY_REFUSED, reason, remedy="Leave it to the platform, or choose another name.")


def _refuse_locked(rows: Sequence[Any], scope: Scope, key: Any, name: str) -> None:
    locked = rules.locked_by([entry_of(one) for one in rows], key, scope.layer)
    if locked is not None:
        raise Refused(
            Code.POLICY_REFUSED,
            f"{name} is locked by the layer of the {locked.value}",
            remedy=f"Ask a person who may change the {locked.value} to unlock it.",
        )
