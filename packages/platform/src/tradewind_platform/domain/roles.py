"""Who may do what: the built-in roles, the permissions of each, and the rules of scopes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol
from uuid import UUID

from tradewind_protocol.access import PERMISSIONS_OF_AIRFLOW_ROLE


class Level(str, Enum):
    """What a role is bound to. An organization has workspaces, a workspace has Deployments."""

    ORGANIZATION = "organization"
    WORKSPACE = "workspace"
    DEPLOYMENT = "deployment"


class Permission(str, Enum):
    """One thing that a role may allow. The names are part of the API."""

    ORGANIZATION_GET = "organization.get"
    ORGANIZATION_UPDATE = "organization.update"
    CLUSTERS_GET = "clusters.get"
    CLUSTERS_UPDATE = "clusters.update"
    MEMBERS_GET = "members.get"
    MEMBERS_UPDATE = "members.update"
    API_TOKENS_GET = "apiTokens.get"
    API_TOKENS_UPDATE = "apiTokens.update"
    AUDIT_GET = "audit.get"
    WORKSPACE_GET = "workspace.get"
    WORKSPACE_CREATE = "workspace.create"
    WORKSPACE_UPDATE = "workspace.update"
    WORKSPACE_DELETE = "workspace.delete"
    DEPLOYMENT_GET = "deployment.get"
    DEPLOYMENT_CREATE = "deployment.create"
    DEPLOYMENT_DELETE = "deployment.delete"
    DEPLOYMENT_UPGRADE = "deployment.upgrade"
    DEPLOYMENT_HIBERNATE = "deployment.hibernate"
    CONFIG_GET = "deployment.config.get"
    CONFIG_VALUES_GET = "deployment.config.values.get"
    CONFIG_UPDATE = "deployment.config.update"
    AGENT_TOKENS_GET = "deployment.agentTokens.get"
    AGENT_TOKENS_CREATE = "deployment.agentTokens.create"
    AGENT_TOKENS_UPDATE = "deployment.agentTokens.update"
    AGENT_TOKENS_DELETE = "deployment.agentTokens.delete"
    ALLOW_LIST_GET = "deployment.allowList.get"
    ALLOW_LIST_UPDATE = "deployment.allowList.update"
    AGENTS_GET = "deployment.agents.get"
    AGENTS_UPDATE = "deployment.agents.update"
    SITES_GET = "deployment.sites.get"
    SITES_UPDATE = "deployment.sites.update"
    DEPLOYS_CREATE = "deployment.deploys.create"


class Role(str, Enum):
    """A built-in role. No later role may have the name of one of these."""

    ORGANIZATION_OWNER = "organization_owner"
    ORGANIZATION_AUDITOR = "organization_auditor"
    ORGANIZATION_MEMBER = "organization_member"
    WORKSPACE_OWNER = "workspace_owner"
    WORKSPACE_OPERATOR = "workspace_operator"
    WORKSPACE_AUTHOR = "workspace_author"
    WORKSPACE_VIEWER = "workspace_viewer"
    DEPLOYMENT_ADMIN = "deployment_admin"
    DEPLOYMENT_OPERATOR = "deployment_operator"
    DEPLOYMENT_AUTHOR = "deployment_author"
    DEPLOYMENT_VIEWER = "deployment_viewer"

    @property
    def level(self) -> Level:
        return Level(self.value.partition("_")[0])

    @property
    def permissions(self) -> frozenset[Permission]:
        return _PERMISSIONS[self]

    @property
    def airflow_role(self) -> AirflowRole | None:
        """The role that its holder has in the Airflow of each Deployment of the scope."""
        return _AIRFLOW_ROLES[self]

    @property
    def operator_permissions(self) -> frozenset[Permission]:
        """What its holder may do on the operator API of each Deployment of the scope: what the role in Airflow may."""
        return frozenset() if self.airflow_role is None else BY_AIRFLOW_ROLE[self.airflow_role]

    def holds_on(self, scope: Target) -> bool:
        """Whether it may be bound to `scope`."""
        return self.level is scope.level


class AirflowRole(str, Enum):
    """A role of Airflow's SimpleAuthManager, the least one first."""

    VIEWER = "VIEWER"
    USER = "USER"
    OP = "OP"
    ADMIN = "ADMIN"

    def includes(self, other: AirflowRole | None) -> bool:
        """Whether it may do all that `other` may."""
        return other is None or _RANK[self] >= _RANK[other]


BY_AIRFLOW_ROLE: Final[dict[AirflowRole, frozenset[Permission]]] = {
    role: frozenset(Permission(one) for one in PERMISSIONS_OF_AIRFLOW_ROLE[role.value])
    for role in AirflowRole
}
"""What each role in Airflow may do on the operator API of the Deployment."""
OPERATOR_PERMISSIONS: Final = BY_AIRFLOW_ROLE[AirflowRole.ADMIN]
"""All that the operator API of a Deployment tells apart, but the audit trail."""


class BindableRole(Protocol):
    """What a binding gives: a built-in role, or a custom one (`domain.custom_roles`)."""

    @property
    def value(self) -> str:
        """Its name, in requests and in tables."""

    @property
    def level(self) -> Level: ...

    @property
    def permissions(self) -> frozenset[Permission]: ...

    @property
    def airflow_role(self) -> AirflowRole | None: ...

    @property
    def operator_permissions(self) -> frozenset[Permission]: ...

    def holds_on(self, scope: Target) -> bool: ...


RETIRED: Final[frozenset[str]] = frozenset()
"""Names of roles that are no more. No role may have one again: bindings of it may still be in a database that is restored."""

_P = Permission
_READ_DEPLOYMENT: Final = frozenset({_P.DEPLOYMENT_GET, _P.AGENTS_GET})
_AUTHOR: Final = _READ_DEPLOYMENT | {_P.CONFIG_GET, _P.CONFIG_VALUES_GET}
_OPERATE: Final = _AUTHOR | {
    _P.DEPLOYMENT_HIBERNATE,
    _P.CONFIG_UPDATE,
    _P.AGENT_TOKENS_GET,
    _P.ALLOW_LIST_GET,
    _P.AGENTS_UPDATE,
    _P.SITES_GET,
    _P.DEPLOYS_CREATE,
}
_LIFE: Final = frozenset({_P.DEPLOYMENT_CREATE, _P.DEPLOYMENT_DELETE, _P.DEPLOYMENT_UPGRADE})
_MEMBERS: Final = frozenset(
    {_P.MEMBERS_GET, _P.MEMBERS_UPDATE, _P.API_TOKENS_GET, _P.API_TOKENS_UPDATE, _P.AUDIT_GET}
)
_ADMIN: Final = (
    _OPERATE
    | _LIFE
    | _MEMBERS
    | {
        _P.AGENT_TOKENS_CREATE,
        _P.AGENT_TOKENS_UPDATE,
        _P.AGENT_TOKENS_DELETE,
        _P.ALLOW_LIST_UPDATE,
        _P.SITES_UPDATE,
    }
)

_PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    Role.ORGANIZATION_OWNER: frozenset(Permission),
    Role.ORGANIZATION_AUDITOR: _READ_DEPLOYMENT
    | {
        _P.ORGANIZATION_GET,
        _P.CLUSTERS_GET,
        _P.MEMBERS_GET,
        _P.API_TOKENS_GET,
        _P.AUDIT_GET,
        _P.WORKSPACE_GET,
        _P.CONFIG_GET,
        _P.AGENT_TOKENS_GET,
        _P.ALLOW_LIST_GET,
        _P.SITES_GET,
    },
    Role.ORGANIZATION_MEMBER: frozenset({_P.MEMBERS_GET}),
    Role.WORKSPACE_OWNER: _ADMIN | {_P.WORKSPACE_GET, _P.WORKSPACE_UPDATE, _P.WORKSPACE_DELETE},
    Role.WORKSPACE_OPERATOR: _OPERATE | _LIFE | {_P.WORKSPACE_GET},
    Role.WORKSPACE_AUTHOR: _AUTHOR | {_P.WORKSPACE_GET},
    Role.WORKSPACE_VIEWER: _READ_DEPLOYMENT | {_P.WORKSPACE_GET},
    Role.DEPLOYMENT_ADMIN: _ADMIN,
    Role.DEPLOYMENT_OPERATOR: _OPERATE,
    Role.DEPLOYMENT_AUTHOR: _AUTHOR,
    Role.DEPLOYMENT_VIEWER: _READ_DEPLOYMENT,
}

_AIRFLOW_ROLES: Final[dict[Role, AirflowRole | None]] = {
    Role.ORGANIZATION_OWNER: AirflowRole.ADMIN,
    Role.ORGANIZATION_AUDITOR: AirflowRole.VIEWER,
    Role.ORGANIZATION_MEMBER: None,
    Role.WORKSPACE_OWNER: AirflowRole.ADMIN,
    Role.WORKSPACE_OPERATOR: AirflowRole.OP,
    Role.WORKSPACE_AUTHOR: AirflowRole.USER,
    Role.WORKSPACE_VIEWER: AirflowRole.VIEWER,
    Role.DEPLOYMENT_ADMIN: AirflowRole.ADMIN,
    Role.DEPLOYMENT_OPERATOR: AirflowRole.OP,
    Role.DEPLOYMENT_AUTHOR: AirflowRole.USER,
    Role.DEPLOYMENT_VIEWER: AirflowRole.VIEWER,
}


@dataclass(frozen=True)
class Target:
    """What is acted on, or what a role is bound to: the organization, a workspace of it, or a Deployment of that."""

    workspace: UUID | None = None
    deployment: UUID | None = None

    def __post_init__(self) -> None:
        if self.deployment is not None and self.workspace is None:
            raise ValueError("a Deployment is named with its workspace")

    @property
    def level(self) -> Level:
        if self.deployment is not None:
            return Level.DEPLOYMENT
        return Level.WORKSPACE if self.workspace is not None else Level.ORGANIZATION

    def contains(self, other: Target) -> bool:
        """Whether `other` is this or a part of it."""
        if self.deployment is not None:
            return other.deployment == self.deployment
        return self.workspace is None or other.workspace == self.workspace


ORGANIZATION: Final = Target()


@dataclass(frozen=True)
class Binding:
    """A role on a scope that it holds on. Raises ValueError for another one."""

    role: BindableRole
    scope: Target

    def __post_init__(self) -> None:
        if self.role.level is not self.scope.level:
            raise ValueError(
                f"the role {self.role.value} is bound to {_ARTICLE[self.role.level]}, not to {_ARTICLE[self.scope.level]}"
            )
        if not self.role.holds_on(self.scope):
            raise ValueError(f"the role {self.role.value} is not one of this workspace")


_ARTICLE: Final = {
    Level.ORGANIZATION: "the organization",
    Level.WORKSPACE: "a workspace",
    Level.DEPLOYMENT: "a Deployment",
}


def permissions(bindings: Iterable[Binding], target: Target) -> frozenset[Permission]:
    """What the bindings together allow on `target`."""
    found: frozenset[Permission] = frozenset()
    for binding in bindings:
        if binding.scope.contains(target):
            found |= binding.role.permissions
    return found


@dataclass(frozen=True)
class Principal:
    """A user, or an API token. A personal token is limited by the roles that its owner has at this moment."""

    kind: str
    id: UUID
    name: str
    bindings: tuple[Binding, ...]
    limits: tuple[Binding, ...] | None = None
    """The owner's bindings, for a personal token; None where nothing limits the principal's own ones."""
    owner: UUID | None = None
    """The user that a personal token belongs to."""

    @property
    def user(self) -> UUID | None:
        """The user who acts: by a session, or by a personal token. None for a token of its own."""
        return self.id if self.kind == "user" else self.owner

    def permissions(self, target: Target) -> frozenset[Permission]:
        own = permissions(self.bindings, target)
        return own if self.limits is None else own & permissions(self.limits, target)

    def may(self, permission: Permission, target: Target) -> bool:
        return permission in self.permissions(target)

    def may_grant(self, binding: Binding) -> bool:
        """Whether it may give the role there, and take it away."""
        return self.may_grant_on(binding.role, binding.scope)

    def may_grant_on(self, role: BindableRole, target: Target) -> bool:
        """Whether it may give the role on `target` or on any part of it: it changes members there, and has all of the role itself."""
        return self.may(Permission.MEMBERS_UPDATE, target) and self.has_all_of(role, target)

    def has_all_of(self, role: BindableRole, target: Target) -> bool:
        """Whether it may do on `target` all that the role allows, in Airflow and on the operator API, too."""
        in_airflow = self.airflow_role(target)
        return (
            role.permissions <= self.permissions(target)
            and role.operator_permissions <= self.operator_permissions(target)
            and (
                role.airflow_role is None
                or (in_airflow is not None and in_airflow.includes(role.airflow_role))
            )
        )

    def airflow_role(self, target: Target) -> AirflowRole | None:
        """Its role in the Airflow of a Deployment: the most privileged one of its own, at most that of its limits."""
        own = _most(self.bindings, target)
        if self.limits is None or own is None:
            return own
        limit = _most(self.limits, target)
        return limit if own.includes(limit) else own

    def operator_permissions(self, target: Target) -> frozenset[Permission]:
        """What it may do on the operator API of a Deployment: its own, at most what its limits allow."""
        own = _operator_permissions(self.bindings, target)
        return own if self.limits is None else own & _operator_permissions(self.limits, target)

    def sees_workspace(self, workspace: UUID) -> bool:
        """Whether it may know that the workspace exists: by a role on it, or on a Deployment in it."""
        return self.may(Permission.WORKSPACE_GET, Target(workspace)) or any(
            one.scope.workspace == workspace and self.may(Permission.DEPLOYMENT_GET, one.scope)
            for one in self.bindings
        )


_RANK: Final = {role: rank for rank, role in enumerate(AirflowRole)}


def _most(bindings: Iterable[Binding], target: Target) -> AirflowRole | None:
    found = [one.role.airflow_role for one in bindings if one.scope.contains(target)]
    return max((one for one in found if one is not None), key=_RANK.__getitem__, default=None)


def _operator_permissions(bindings: Iterable[Binding], target: Target) -> frozenset[Permission]:
    found: frozenset[Permission] = frozenset()
    for one in bindings:
        if one.scope.contains(target):
            more = one.role.operator_permissions
            if not more <= found:
                found = found | more if found else more
    return found
