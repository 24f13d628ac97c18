"""A plane and a site for each test session: real Airflow, a real agent, a metadata database of the kind asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import airflow_rest, directories, installed, postgresql
from support.deployment import Deployment, run_site
from support.installed import plane_settings
from tradewind.embedded import plane


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("airflow")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(240))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the environments before a test's time is taken."""
    here = Path(__file__).parent
    if not session.config.option.collectonly and any(here in item.path.parents for item in session.items):
        installed.environments()


@pytest.fixture(scope="session")
def database_server() -> Iterator[postgresql.PostgreSQL | None]:
    """The PostgreSQL of this session when one is asked for; None means SQLite."""
    if os.environ.get("TRADEWIND_TEST_DATABASE") != "postgresql":
        yield None
        return
    with postgresql.running() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server(database_server: postgresql.PostgreSQL | None) -> Iterator[postgresql.PostgreSQL]:
    """A PostgreSQL whatever the session's database is, for what SQLite is too slow or too lonely for."""
    if database_server is not None:
        yield database_server
        return
    if not postgresql.available():
        pytest.skip("no PostgreSQL on this machine: `make postgresql` installs it")
    with postgresql.running() as server:
        yield server


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    with directories.short() as made:
        yield made


@pytest.fixture(scope="package")
def deployment(directory: Path, database_server: postgresql.PostgreSQL | None) -> Iterator[Deployment]:
    """One plane and one agent that serve every test of this folder; the site has the Dags in `dags/`."""
    settings = plane_settings(
        home=directory / "plane",
        database=database_server.new_database() if database_server else None,
        options={
            "scheduler": {"scheduler_idle_sleep_time": "0.5", "scheduler_heartbeat_sec": "2"},
            "core": {"test_connection": "Enabled"},
            # one test's agent sends its Dags' source; the others keep to the strict policy by themselves
            "tradewind": {"policy": "open"},
        },
    )
    with plane.Plane(settings) as running:
        with run_site(directory / "site", running) as (site_agent, site), running.client() as http:
            yield Deployment(plane=running, agent=site_agent, site=site, rest=airflow_rest.AirflowRest(http))
