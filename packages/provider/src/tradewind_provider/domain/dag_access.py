"""Which Dags a request to Airflow's Execution API names, and which sites may reach Dags of other sites."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import parse_qsl

from tradewind_protocol.boundary import RouteMatch

ANY_SITE: Final = "*"

_DAG: Final = "dag_id"
_READING: Final = frozenset({"GET", "HEAD"})


class Access(str, Enum):
    """What a request does with a Dag, its runs and their values."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True)
class SiteGrant:
    """Agents of `site` may reach the Dags of `other`; ANY_SITE: those of every site, and the plane's own. Who may write
    may read."""

    site: str
    other: str
    access: Access

    def allows(self, site: str, owner: str | None, access: Access) -> bool:
        return (
            self.site == site
            and self.other in (ANY_SITE, owner)
            and (self.access is Access.WRITE or access is Access.READ)
        )


def access_of(found: RouteMatch) -> Access:
    """What the request does, by its method."""
    return Access.READ if found.route.method in _READING else Access.WRITE


def dags_named(found: RouteMatch, query: bytes) -> frozenset[str]:
    """The ids of the Dags that a request names, in its path and in its query. All of a parameter that is there twice:
    which one Airflow reads does not matter then."""
    return frozenset({found.params.get(_DAG, ""), *parameters(query, _DAG)} - {""})


def parameters(query: bytes, name: str) -> list[str]:
    """The values of a query parameter, as Airflow's web framework reads them."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return [value for key, value in pairs if key == name]
