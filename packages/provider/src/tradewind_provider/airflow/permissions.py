"""Airflow's auth manager: who asks, and what that person may do.

Airflow has no permission of ours, and a plugin cannot add one that every auth manager knows. So each of ours stands on
one that Airflow's own roles carry already, and works with any auth manager:

| ours       | who has it in SimpleAuthManager and FAB | what is asked                                       |
|------------|-----------------------------------------|-----------------------------------------------------|
| READ       | viewer and up                           | the view "Jobs": what runs this Airflow             |
| OPERATE    | op and up                               | changing pools: how much may run where              |
| ADMINISTER | admin                                   | changing roles: who may do what (Simple: the role)  |
| AUDIT      | viewer in Simple, admin in FAB          | the audit log of all Dags, as in Airflow            |

TradewindAuthManager answers as FAB does; an auditor of the organization may read the audit trail, too. It tells more apart: what a
platform's custom role allows on the operator API, each by itself (`Action`).
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Protocol, runtime_checkable

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user

__all__ = [
    "Action",
    "Permission",
    "allowed",
    "by_platform",
    "get_user",
    "in_words",
    "may",
    "name_of",
    "names_of_all",
    "readable_dags",
]


class Permission(Enum):
    """What a person can be allowed to do with this plane."""

    READ = "look at agents, queues and attempts"
    OPERATE = "cordon, drain, resume, size and remove agents, stop attempts, and see agent tokens, allowed addresses and site access"
    ADMINISTER = "make, rotate and delete agent tokens, set allowed addresses and site access, and take bundles from sites"
    AUDIT = "read the audit trail"


class Action(Enum):
    """What a route of the operator API is for: the permission of the four that it takes, and its name on a platform."""

    LOOK = (Permission.READ, "deployment.agents.get")
    CONTROL_AGENTS = (Permission.OPERATE, "deployment.agents.update")
    SEE_TOKENS = (Permission.OPERATE, "deployment.agentTokens.get")
    MAKE_TOKENS = (Permission.ADMINISTER, "deployment.agentTokens.create")
    ROTATE_TOKENS = (Permission.ADMINISTER, "deployment.agentTokens.update")
    DELETE_TOKENS = (Permission.ADMINISTER, "deployment.agentTokens.delete")
    SEE_ADDRESSES = (Permission.OPERATE, "deployment.allowList.get")
    SET_ADDRESSES = (Permission.ADMINISTER, "deployment.allowList.update")
    SEE_SITE_ACCESS = (Permission.OPERATE, "deployment.sites.get")
    CHANGE_SITES = (Permission.ADMINISTER, "deployment.sites.update")
    READ_EVENTS = (Permission.AUDIT, "audit.get")

    @property
    def permission(self) -> Permission:
        return self.value[0]

    @property
    def on_a_platform(self) -> str:
        return self.value[1]


@runtime_checkable
class TellsActionsApart(Protocol):
    """An auth manager that decides about each action of the operator API by its name on a platform."""

    def may_on_operator_api(self, user: Any, name: str) -> bool: ...


def may(user: Any, action: Action) -> bool:
    """Whether Airflow's auth manager lets this user do that. May block: some managers ask a server."""
    manager = get_auth_manager()
    if isinstance(manager, TellsActionsApart):
        return manager.may_on_operator_api(user, action.on_a_platform)
    return allowed(user, action.permission)


def in_words(action: Action) -> str:
    """What a refusal says that a user may not."""
    if isinstance(get_auth_manager(), TellsActionsApart):
        return action.on_a_platform
    return str(action.permission.value)


def allowed(user: Any, permission: Permission) -> bool:
    """Whether Airflow's auth manager lets this user do all that the permission stands for. May block, as `may`."""
    manager = get_auth_manager()
    if isinstance(manager, TellsActionsApart):
        names = [one.on_a_platform for one in Action if one.permission is permission]
        return all(manager.may_on_operator_api(user, name) for name in names)
    if permission is Permission.READ:
        return bool(manager.is_authorized_view(access_view=AccessView.JOBS, user=user))
    if permission is Permission.OPERATE:
        return bool(manager.is_authorized_pool(method="PUT", user=user))
    if permission is Permission.AUDIT:
        return bool(
            manager.is_authorized_dag(method="GET", access_entity=DagAccessEntity.AUDIT_LOG, user=user)
        )
    if isinstance(user, SimpleAuthManagerUser):
        # the simple manager grants every custom view to viewers, and has nothing only its admins may do
        return (user.role or "").upper() == "ADMIN"
    return bool(manager.is_authorized_custom_view(method="PUT", resource_name="Roles", user=user))


def names_of_all(user: Any) -> tuple[str, ...]:
    """The names of the permissions that the user has, and of each action that the user may without all of its permission."""
    held = [one for one in Permission if allowed(user, one)]
    parts: list[str] = []
    if isinstance(get_auth_manager(), TellsActionsApart):
        parts = [one.on_a_platform for one in Action if one.permission not in held and may(user, one)]
    return (*(one.name.lower() for one in held), *parts)


def by_platform(user: Any) -> bool:
    """Whether the platform that manages this Deployment passed the request on, for the user who asked it."""
    return getattr(user, "spoken_for", None) is not None


def readable_dags(user: Any) -> frozenset[str]:
    """The ids of the Dags this user may read."""
    return frozenset(get_auth_manager().get_authorized_dag_ids(user=user, method="GET"))


def name_of(user: Any) -> str:
    """What the audit trail calls this user."""
    return str(user.get_name())
