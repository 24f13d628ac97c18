"""Which Dags a request to Airflow's Execution API names, and which sites may reach Dags of other sites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tradewind_protocol.boundary import RouteMatch, parameters
from tradewind_protocol.operator import SiteAccess

ANY_SITE: Final = "*"

_DAG: Final = "dag_id"
_OF_ASSETS: Final = frozenset({"asset", "asset_event", "asset_store"})
_READING: Final = frozenset({"GET", "HEAD"})
_STARTS: Final = frozenset({"dagrun.trigger", "dagrun.clear"})
_WAITS: Final = frozenset(
    {
        "dagrun.count",
        "dagrun.state",
        "dagrun.previous",
        "dagrun.previous_before_2026_04",
        "ti.count",
        "ti.previous",
        "ti.states",
        "ti.breadcrumbs",
    }
)
_GRANTED_BY: Final[Mapping[SiteAccess, frozenset[SiteAccess]]] = {
    SiteAccess.WAIT: frozenset({SiteAccess.WAIT, SiteAccess.READ, SiteAccess.START, SiteAccess.WRITE}),
    SiteAccess.READ: frozenset({SiteAccess.READ, SiteAccess.WRITE}),
    SiteAccess.START: frozenset({SiteAccess.START, SiteAccess.WRITE}),
    SiteAccess.WRITE: frozenset({SiteAccess.WRITE}),
    SiteAccess.CONSUME: frozenset({SiteAccess.CONSUME}),
}


@dataclass(frozen=True)
class SiteGrant:
    """Agents of `site` may do something with the Dags of `other`; ANY_SITE: with those of every site, and the plane's
    own."""

    site: str
    other: str
    access: SiteAccess

    def allows(self, site: str, owner: str | None, access: SiteAccess) -> bool:
        """Whether the grant lets agents of `site` do that with Dags of `owner`."""
        return self.site == site and self.other in (ANY_SITE, owner) and self.access in _GRANTED_BY[access]


def access_of(found: RouteMatch) -> SiteAccess:
    """What the request does with the Dags that it names."""
    if found.route.name in _STARTS:
        return SiteAccess.START
    if found.route.name in _WAITS:
        return SiteAccess.WAIT
    if found.route.name.partition(".")[0] in _OF_ASSETS and found.route.method in _READING:
        return SiteAccess.CONSUME
    return SiteAccess.READ if found.route.method in _READING else SiteAccess.WRITE


def dags_named(found: RouteMatch, query: bytes) -> frozenset[str]:
    """The ids of the Dags that a request names, in its path and in its query. All of a parameter that is there twice:
    which one Airflow reads does not matter then."""
    return frozenset({found.params.get(_DAG, ""), *parameters(query, _DAG)} - {""})


@dataclass(frozen=True)
class AssetNamed:
    """What a request says of the asset that it is about."""

    name: str | None = None
    uri: str | None = None
    alias: str | None = None


def assets_named(found: RouteMatch, query: bytes) -> frozenset[AssetNamed]:
    """The assets that a request names in its query, all of a parameter that is there twice. Empty for other requests."""
    kind, _, which = found.route.name.partition(".")
    if kind not in _OF_ASSETS:
        return frozenset()
    if which == "by_alias":
        names = [one for key in ("name", "alias_name") for one in parameters(query, key)]
        return frozenset(AssetNamed(alias=one) for one in names)
    return frozenset(
        [AssetNamed(name=one) for one in parameters(query, "name")]
        + [AssetNamed(uri=one) for one in parameters(query, "uri")]
    )
