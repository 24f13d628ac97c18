"""The matrix: each kind of site in turn, and the same Dags under LocalExecutor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from on_airflow.sites import (
    bare,
    local_executor_first,
    owners_code,
    plugin_and_listener,
    remote_logs,
    secrets_backend,
    two_agents,
    two_environments,
    two_sites,
    without_accelerators,
)
from on_airflow.sites.site import Planes, Site
from support import postgresql

SITES = (
    bare,
    secrets_backend,
    remote_logs,
    plugin_and_listener,
    owners_code,
    two_environments,
    two_agents,
    two_sites,
    without_accelerators,
    local_executor_first,
)


@pytest.fixture(scope="package")  # gone when other folders' tests run: idle planes cost CPU
def planes(directory: Path, database_server: postgresql.PostgreSQL | None) -> Iterator[Planes]:
    def new_database() -> str | None:
        return database_server.new_database() if database_server else None

    with Planes(directory / "m", new_database) as made:
        yield made


@pytest.fixture(scope="package")
def under_local_executor(planes: Planes) -> Iterator[Site]:
    with local_executor_first.own(planes) as site:
        yield site


@pytest.fixture(scope="package", params=SITES, ids=lambda kind: kind.__name__.rpartition(".")[2])
def site(request: pytest.FixtureRequest, planes: Planes, directory: Path) -> Iterator[Site]:
    home = directory / "m" / request.param.__name__.rpartition(".")[2]
    with request.param.running(planes, home) as made:
        yield made
