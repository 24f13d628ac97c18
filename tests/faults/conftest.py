"""A plane on PostgreSQL and agents as processes, to be killed, stopped and cut off.

Everything is judged from what user code wrote down and from the metadata database. The cadence is scaled down through
the `[tradewind]` options, so that a test of three missed beats takes seconds; tests of a promise in seconds use the
default cadence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.fleet import Fleet, home_agent, run_plane
from support import directories, installed, network, postgresql

WHOLE = os.environ.get("TRADEWIND_TEST_FAULTS") == "all"
SCALED = {
    "poll_seconds": "2",
    "missed_beats": "5",  # lost after 10 s
    "sweep_seconds": "0.5",
    "on_agent_loss": "retry, patient=wait:10m",
    "tokens_limit": "1000",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--compare", action="append", default=[], help="measure a peer too: edge3")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.name != "test_guarantees.py":
            item.add_marker("airflow")
            item.add_marker("faults")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(240))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the environments before a test's time is taken."""
    here = Path(__file__).parent
    if not session.config.option.collectonly and any(here in item.path.parents for item in session.items):
        installed.environments()


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.PostgreSQL]:
    if not postgresql.available():
        pytest.skip("no PostgreSQL on this machine: `make postgresql` installs it")
    with postgresql.running() as running:
        yield running


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    with directories.short("twf-") as made:
        yield made


@pytest.fixture(scope="session")
def scaled(directory: Path, server: postgresql.PostgreSQL) -> Iterator[Fleet]:
    """One plane for most tests, its cadence scaled down, and an agent that only parses the Dags."""
    with run_plane(directory / "scaled", server, SCALED) as fleet, home_agent(fleet):
        yield fleet


@pytest.fixture
def fleet(scaled: Fleet) -> Iterator[Fleet]:
    """The plane with no worker yet; what a test starts is gone after it."""
    with scaled.of_one_test() as fleet:
        yield fleet


@pytest.fixture
def proxy(fleet: Fleet) -> Iterator[network.Proxy]:
    """A network between agents and the plane that can be made worse."""
    with network.Proxy(("127.0.0.1", fleet.plane.ports[0])) as running:
        yield running


@pytest.fixture(scope="session")
def unscaled(directory: Path, server: postgresql.PostgreSQL) -> Iterator[Fleet]:
    """A plane with every interval as it comes."""
    with run_plane(directory / "unscaled", server, {"tokens_limit": "1000"}) as fleet, home_agent(fleet):
        yield fleet


@pytest.fixture
def default_cadence(unscaled: Fleet) -> Iterator[Fleet]:
    with unscaled.of_one_test() as fleet:
        yield fleet
