"""The releases of Airflow that Deployments may have, and which of them a cluster can run."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from tradewind_platform.domain.preflight import order
from tradewind_protocol.errors import Code, Refused

STABLE: Final = "stable"
CANDIDATE: Final = "candidate"


@dataclass(frozen=True)
class Release:
    """A version of Airflow. Stable: a new Deployment gets it where nothing else is asked for."""

    version: str
    channel: str = STABLE

    def __post_init__(self) -> None:
        order(self.version)
        if self.channel not in (STABLE, CANDIDATE):
            raise ValueError(
                f"release {self.version}: the channel {self.channel!r} is neither stable nor candidate"
            )


def read(text: str) -> tuple[Release, ...]:
    """The releases of a catalogue file, the newest first. Raises ValueError, which names what is wrong."""
    found = json.loads(text)
    if not isinstance(found, dict) or not isinstance(found.get("releases"), list):
        raise ValueError("a catalogue is an object with a list of releases")
    try:
        releases = [Release(**one) for one in found["releases"]]
    except TypeError as error:
        raise ValueError(f"a release is not as expected: {error}") from None
    return tuple(sorted(releases, key=lambda one: order(one.version), reverse=True))


@dataclass(frozen=True)
class Offered:
    """The catalogue, and the versions that each kind of driver can run; a driver that is not named runs all."""

    releases: tuple[Release, ...] = ()
    by_driver: Mapping[str, Collection[str]] = field(default_factory=dict)

    def of(self, driver: str) -> tuple[Release, ...]:
        able = self.by_driver.get(driver)
        return tuple(one for one in self.releases if able is None or one.version in able)

    def newest(self, driver: str) -> str:
        """What a new Deployment gets. Empty: the catalogue has no stable release for it, and the driver decides."""
        return next((one.version for one in self.of(driver) if one.channel == STABLE), "")

    def require(self, driver: str, version: str) -> None:
        """Raises Refused NOT_FOUND for a version that is not offered there."""
        versions = [one.version for one in self.of(driver)]
        if version not in versions:
            listed = ", ".join(versions) or "none"
            raise Refused(
                Code.NOT_FOUND,
                f"the version {version!r} is not offered on a cluster of the driver {driver!r}",
                remedy=f"Offered are: {listed}. `tradewind platform run --plane-python` adds one to this machine.",
            )
