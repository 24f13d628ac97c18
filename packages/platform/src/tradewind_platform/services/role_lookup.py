"""Finds what a name of a role stands for, among the built-in roles and the organization's custom ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import custom_roles
from tradewind_platform.domain.roles import AirflowRole, BindableRole, Level, Permission, Role
from tradewind_platform.store.role_tables import RoleDefinition

BUILT_IN: Mapping[str, Role] = {one.value: one for one in Role}


def roles_of(db: Session, names: Iterable[str]) -> dict[str, BindableRole]:
    """The roles of these names. A name that is no role's, or that of a deleted role, is not in it. Built-in ones take no query."""
    wanted = set(names)
    found: dict[str, BindableRole] = {name: BUILT_IN[name] for name in wanted if name in BUILT_IN}
    others = {name for name in wanted if "_" not in name}  # a custom role's name has none
    if others:
        rows = db.scalars(
            select(RoleDefinition).where(RoleDefinition.name.in_(others), RoleDefinition.deleted_at.is_(None))
        )
        found |= {row.name: defined(row) for row in rows}
    return found


def of_level(db: Session, level: Level) -> list[str]:
    """The names of the roles of a level."""
    names = [one.value for one in Role if one.level is level]
    if level is Level.DEPLOYMENT:
        custom = (
            select(RoleDefinition.name)
            .where(RoleDefinition.deleted_at.is_(None))
            .order_by(RoleDefinition.name)
        )
        names += db.scalars(custom)
    return names


def defined(row: RoleDefinition) -> custom_roles.CustomRole:
    """What a row says. A permission or a role in Airflow that this version does not know is left out."""
    known = {one.value for one in Permission}
    airflow = {one.value for one in AirflowRole}
    return custom_roles.CustomRole(
        row.name,
        frozenset(Permission(one) for one in row.permissions if one in known) & custom_roles.GRANTABLE,
        AirflowRole(row.airflow_role) if row.airflow_role in airflow else None,
        None if row.workspaces is None else frozenset(UUID(one) for one in row.workspaces),
    )


def write_definition(row: RoleDefinition, role: custom_roles.CustomRole) -> None:
    """Make the row say what `role` is; its name stays."""
    row.permissions = sorted(one.value for one in role.permissions)
    row.airflow_role = None if role.airflow_role is None else role.airflow_role.value
    row.workspaces = None if role.workspaces is None else sorted(str(one) for one in role.workspaces)
