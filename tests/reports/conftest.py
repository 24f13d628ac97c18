"""What LocalExecutor was run anew for is told at the end of a run."""

from __future__ import annotations

from typing import Any

import pytest

ANEW = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ANEW] = []


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if told := config.stash[ANEW]:
        terminalreporter.section(f"{len(told)} faults of LocalExecutor itself, for which it was run anew")
        for line in told:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def told(request: pytest.FixtureRequest) -> list[str]:
    """What is added here is told at the end."""
    return request.config.stash[ANEW]
