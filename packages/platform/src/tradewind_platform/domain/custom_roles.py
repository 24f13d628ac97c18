"""Custom roles: what an organization puts together itself, for Deployments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tradewind_platform.domain.roles import (
    OPERATOR_PERMISSIONS,
    ORGANIZATION,
    AirflowRole,
    Level,
    Permission,
    Principal,
    Role,
    Target,
)

ALWAYS: Final = Permission.DEPLOYMENT_GET
"""Each custom role has it: what a person may do with a Deployment they could not name is nothing."""
GRANTABLE: Final = Role.DEPLOYMENT_ADMIN.permissions
"""What a custom role may allow: what can be done with one Deployment."""

_GROUPS: Final = (
    ("deployment", "Deployment", ("deployment.",)),
    ("configuration", "Configuration and variables", ("deployment.config.",)),
    ("agents", "Agents and sites", ("deployment.agent", "deployment.sites.", "deployment.allowList.")),
    ("code", "Code", ("deployment.deploys.",)),
    ("people", "People and access", ("members.", "apiTokens.", "audit.")),
)


@dataclass(frozen=True)
class CustomRole:
    """A role that an organization has made. Its name is in a binding as a built-in role's is; no built-in one has such a name,
    because theirs have an underscore."""

    value: str
    permissions: frozenset[Permission]
    airflow_role: AirflowRole | None = None
    workspaces: frozenset[UUID] | None = None
    """It may be given on Deployments of these workspaces only; None: of any."""

    @property
    def level(self) -> Level:
        return Level.DEPLOYMENT

    @property
    def operator_permissions(self) -> frozenset[Permission]:
        """Each by itself: its role in Airflow gives nothing on the operator API."""
        return self.permissions & OPERATOR_PERMISSIONS

    def holds_on(self, scope: Target) -> bool:
        return scope.level is self.level and (self.workspaces is None or scope.workspace in self.workspaces)

    @property
    def targets(self) -> tuple[Target, ...]:
        """What together has every Deployment that it may be given on. One that may be given nowhere is the organization's."""
        if not self.workspaces:
            return (ORGANIZATION,)
        return tuple(Target(one) for one in sorted(self.workspaces))

    def narrowed(self, other: CustomRole) -> CustomRole:
        """What both allow, where both may be given."""
        workspaces = self.workspaces
        if other.workspaces is not None:
            workspaces = other.workspaces if workspaces is None else workspaces & other.workspaces
        airflow = self.airflow_role
        if airflow is not None and airflow.includes(other.airflow_role):
            airflow = other.airflow_role
        return CustomRole(self.value, self.permissions & other.permissions, airflow, workspaces)


def may_define(principal: Principal, role: CustomRole) -> bool:
    """Whether a principal may make a role, change it or delete it: it could give the role everywhere that the role may be given.

    So a custom role never gives a permission that its author does not have. A role that is to be changed has to pass as it was
    and as it is to be: to change what a role allows is to give it to its holders.
    """
    return all(principal.may_grant_on(role, target) for target in role.targets)


def permission_groups() -> tuple[tuple[str, str, tuple[Permission, ...]], ...]:
    """What a custom role may allow, in groups: the name of each, its title, and its permissions in the API's order."""
    of = {one: _group(one) for one in Permission if one in GRANTABLE}
    return tuple(
        (name, title, tuple(one for one, group in of.items() if group == name)) for name, title, _ in _GROUPS
    )


def _group(permission: Permission) -> str:
    """The group with the longest prefix that fits."""
    fitting: Iterable[tuple[int, str]] = (
        (len(prefix), name)
        for name, _, prefixes in _GROUPS
        for prefix in prefixes
        if permission.value.startswith(prefix)
    )
    return max(fitting)[1]
