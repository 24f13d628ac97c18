"""Settings of the local driver."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tradewind_platform.store.plane_archives import FOLDER

LOCAL: Final = "local"
"""The name of the cluster that is this machine, and of its driver."""


@dataclass(frozen=True)
class LocalSettings:
    """A cluster that is this machine."""

    home: Path
    plane_python: Path  # of the environment that has Airflow and tradewind-provider
    environments: Mapping[str, Path] = field(default_factory=dict)  # such Pythons, by version of Airflow
    platform_url: str = "http://127.0.0.1:8700"
    """Where people's browsers and the Deployments' API servers reach the platform."""
    agents_host: str = "127.0.0.1"
    agents_listen: str = "127.0.0.1:8710"
    people_domain: str = "localhost"
    people_listen: str = "127.0.0.1:8711"
    certificate: Path | None = None
    """For both names and the platform's. None: plain HTTP on the loopback interface."""
    key: Path | None = None
    caddy: Path | None = None
    database_url: str | None = field(default=None, repr=False)
    """A PostgreSQL whose role may create roles and databases. None: each Deployment has a SQLite file."""
    first_user: int | None = None
    """Deployment n runs as this user id + n. None: as the platform's own user."""
    command_python: Path = Path(sys.executable)  # of the environment that has `tradewind`
    probe_seconds: float = 120
    uv: Path | None = None  # installs the packages of deployed code; None: the one on the search path

    @property
    def archives(self) -> Path:
        """Where the archives are that were sent for Deployments of this machine."""
        return self.home / FOLDER

    @property
    def agents_url(self) -> str:
        return self._url(self.agents_host, self.agents_listen)

    @property
    def people_url(self) -> str:
        return self._url("{slug}." + self.people_domain, self.people_listen)

    def _url(self, host: str, listen: str) -> str:
        scheme, usual = ("https", 443) if self.certificate is not None else ("http", 80)
        port = int(listen.rpartition(":")[2])
        return f"{scheme}://{host}" + ("" if port == usual else f":{port}")


def host_of(url: str) -> str:
    return urlsplit(url).netloc
