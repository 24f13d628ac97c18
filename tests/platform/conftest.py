"""A platform as a process, as `make test-platform` runs it: its command, real planes, a real gateway, a real agent."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import directories, installed
from support.platform_process import PlatformProcess
from tradewind.errors import BadUsage
from tradewind.gateway import program


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("airflow")
            item.add_marker(pytest.mark.timeout(600))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make the environments before a test's time is taken, unless only modules are asked for that say `STUBS`."""
    here = Path(__file__).parent
    wanted = [
        item
        for item in session.items
        if here in item.path.parents and not getattr(item.getparent(pytest.Module).obj, "STUBS", False)
    ]
    if wanted and not session.config.option.collectonly:
        installed.environments()


@pytest.fixture(scope="session")
def directory() -> Iterator[Path]:
    with directories.short() as made:
        yield made


@pytest.fixture(scope="session")
def platform(directory: Path) -> Iterator[PlatformProcess]:
    try:
        program.find(None)
    except BadUsage as missing:
        pytest.skip(f"{missing.message}: `make network` installs it")
    made = PlatformProcess(directory / "platform", installed.environments().plane)
    made.start()
    try:
        yield made
    finally:
        made.stop_everything()
        shutil.rmtree(made.home, ignore_errors=True)
