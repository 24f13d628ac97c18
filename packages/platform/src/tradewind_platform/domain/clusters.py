"""Clusters: their names in DNS, their tokens' prefix, and when their controller counts as lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

PREFIX: Final = "tw_cluster_"
SHOWN: Final = len(PREFIX) + 4
"""Characters of a cluster token that may be listed and logged."""
LOST_AFTER: Final = timedelta(seconds=60)
"""A controller polls every 20 seconds at the latest."""


class ControllerState(str, Enum):
    NEVER = "never"  # it has not connected yet
    CONNECTED = "connected"
    LOST = "lost"


@dataclass(frozen=True)
class DnsName:
    """A name that has to lead to the cluster's gateway, and who uses it."""

    name: str
    purpose: str


def controller_state(last_beat: datetime | None, now: datetime) -> ControllerState:
    if last_beat is None:
        return ControllerState.NEVER
    return ControllerState.CONNECTED if now - last_beat <= LOST_AFTER else ControllerState.LOST


def agents_url(scheme: str, slug: str, host: str) -> str:
    """Where agents reach the Deployments of a cluster; each has a path of its own below it."""
    return f"{scheme}://{host.replace('{id}', slug)}"


def people_url(scheme: str, slug: str, domain: str) -> str:
    """The address of a Deployment's Airflow, with `{slug}` for the Deployment's."""
    return f"{scheme}://{{slug}}.{domain.replace('{id}', slug)}"


def dns_names(agents: str, people: str) -> Sequence[DnsName]:
    """The names that have to lead to the gateway. None for an address that is no name."""
    found = []
    agents_host = urlsplit(agents).hostname or ""
    if not agents_host.replace(".", "").isdecimal():
        found.append(DnsName(agents_host, "agents"))
    people_host = urlsplit(people.replace("{slug}", "d")).hostname or ""
    if people_host:
        found.append(DnsName("*" + people_host.removeprefix("d"), "people"))
    return found


def gateway_check(agents: str) -> str:
    """A command that answers `404 page not found` where agents reach the gateway."""
    return f"curl {agents}/"
