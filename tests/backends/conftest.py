"""A plane for each test session, and the clouds' servers that its tests ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import directories, installed, postgresql
from support.cloud.server import Servers
from support.installed import plane_settings
from tradewind.embedded.plane import Plane

SERVERS = pytest.StashKey[Servers]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("airflow")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(900))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the environments before a test's time is taken."""
    here = Path(__file__).parent
    if not session.config.option.collectonly and any(here in item.path.parents for item in session.items):
        installed.environments()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """A failed test shows what the servers wrote down."""
    report = yield
    servers = item.config.stash.get(SERVERS, None)
    if servers is not None and report.failed:  # type: ignore[attr-defined]
        for each in servers.running():
            report.sections.append((f"Log of {each.name}", each.tail()))  # type: ignore[attr-defined]
    return report


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    with directories.short() as made:
        yield made


@pytest.fixture(scope="package")
def servers(request: pytest.FixtureRequest, directory: Path) -> Iterator[Servers]:
    with Servers(directory / "servers") as made:
        request.config.stash[SERVERS] = made
        yield made


@contextmanager
def started(plane: Plane) -> Iterator[Plane]:
    """A plane on a machine that may be busy with servers and providers' imports."""
    try:
        plane.configure()
        plane.migrate()
        plane.start(timeout=400)
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="package")
def plane(directory: Path) -> Iterator[Plane]:
    """A plane under `strict`, the default. It has no secrets backend and no bucket: these are the sites'."""
    asked = os.environ.get("TRADEWIND_TEST_DATABASE") == "postgresql"
    options = {
        "scheduler": {"scheduler_idle_sleep_time": "0.5"},
        "tradewind": {
            "live_log_seconds": "50"
        },  # a process that opens a bucket starts slowly on a busy machine
    }
    if not asked:
        with started(Plane(plane_settings(home=directory / "plane", options=options))) as running:
            yield running
        return
    with postgresql.running() as server:
        settings = plane_settings(home=directory / "plane", database=server.new_database(), options=options)
        with started(Plane(settings)) as running:
            yield running
