"""Fixtures of the agent's tests."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from agent_kit import AgentUnderTest

from tradewind_agent.testing import FakePlane


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TRADEWIND_") and name != "TRADEWIND_TEST_POSTGRESQL":
            monkeypatch.delenv(name)


@pytest.fixture
def plane() -> FakePlane:
    return FakePlane()


@pytest.fixture
def agent(plane: FakePlane, tmp_path: Path) -> AgentUnderTest:
    return AgentUnderTest(plane, tmp_path / "state")
