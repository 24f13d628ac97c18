"""The roles of a platform's people in Airflow, and what each may do: the whole table, by value.

What Airflow asks about and this table does not know is refused for every user: a newer Airflow gives nobody a right by a name
that is new.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class AirflowRole(str, Enum):
    """A role in Airflow, the least one first. Each may do what those before it may."""

    VIEWER = "VIEWER"
    USER = "USER"
    OP = "OP"
    ADMIN = "ADMIN"

    def includes(self, other: AirflowRole) -> bool:
        return _RANK[self] >= _RANK[other]


_RANK: Final = {role: rank for rank, role in enumerate(AirflowRole)}

_VIEWER, _USER, _OP, _ADMIN = AirflowRole

READ, WRITE = "read", "write"

_RESOURCES: Final[dict[str, dict[str, AirflowRole]]] = {
    "dag": {READ: _VIEWER, WRITE: _USER},
    "asset": {READ: _VIEWER, WRITE: _OP},
    "asset_alias": {READ: _VIEWER, WRITE: _OP},
    "pool": {READ: _VIEWER, WRITE: _OP},
    "configuration": {READ: _OP, WRITE: _ADMIN},
    "connection": {READ: _OP, WRITE: _OP},
    "variable": {READ: _OP, WRITE: _OP},
    "custom_view": {READ: _VIEWER, WRITE: _ADMIN},
}
"""Resource → the least role that may read it, and that may change it. Connections and variables hold secrets of the plane."""

_VIEWS: Final[dict[str, AirflowRole]] = {
    "CLUSTER_ACTIVITY": _VIEWER,
    "DOCS": _VIEWER,
    "IMPORT_ERRORS": _VIEWER,
    "JOBS": _VIEWER,
    "PLUGINS": _VIEWER,
    "PROVIDERS": _VIEWER,
    "TRIGGERS": _VIEWER,
    "WEBSITE": _VIEWER,
    "AUDIT_LOGS_ALL": _ADMIN,
    "IMPORT_ERRORS_ALL": _ADMIN,
    "REPARSE_ALL": _ADMIN,
}

_MENU: Final[dict[str, AirflowRole]] = {
    "Required Actions": _VIEWER,
    "Assets": _VIEWER,
    "Config": _OP,
    "Connections": _OP,
    "Dags": _VIEWER,
    "Deadlines": _VIEWER,
    "Docs": _VIEWER,
    "Jobs": _VIEWER,
    "Plugins": _VIEWER,
    "Pools": _VIEWER,
    "Providers": _VIEWER,
    "Variables": _OP,
    "XComs": _VIEWER,
}
AUDIT_MENU: Final = "Audit Log"
"""The one item that does not follow from a role alone."""


def may(role: AirflowRole | None, resource: str, method: str) -> bool:
    """Whether the role may do `method` (GET and MENU read, all others write) to a kind of resource."""
    least = _RESOURCES.get(resource)
    if role is None or least is None:
        return False
    return role.includes(least[READ if method in ("GET", "MENU") else WRITE])


def may_view(role: AirflowRole | None, view: str) -> bool:
    """Whether the role may look at a view of Airflow's, by the view's value. One that is not known is refused."""
    least = _VIEWS.get(view)
    return role is not None and least is not None and role.includes(least)


def may_see(role: AirflowRole | None, item: str, *, audit: bool) -> bool:
    """Whether the role sees an item of the menu, by the item's text. One that is not known is hidden."""
    if item == AUDIT_MENU:
        return role is not None and audit
    least = _MENU.get(item)
    return role is not None and least is not None and role.includes(least)
