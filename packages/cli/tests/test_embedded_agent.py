"""What a local agent's settings file says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tradewind.embedded.agent import Agent, AgentSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def configured(**more: Any) -> dict[str, Any]:
        interpreters = {"interpreter": Path("/opt/agent/bin/python"), "tasks": Path("/opt/tasks/bin/python")}
        settings = AgentSettings(home=tmp_path, plane_url="http://plane", token="t", **interpreters, **more)
        Agent(settings).configure()
        return tomllib.loads((tmp_path / "agent.toml").read_text())

    return configured


def test_slots_are_those_of_its_one_environment(written: Any) -> None:
    found = written(queues=("etl",), options={"slots": 4, "grace": 5.0})
    (environment,) = found["environments"]
    assert (environment["slots"], environment["queues"], found["grace"]) == (4, ["etl"], 5.0)
    assert "slots" not in found


def test_environments_stand_in_the_place_of_the_one(written: Any) -> None:
    given = [{"name": "ml", "slots": 2}, {"name": "etl", "interpreter": "/opt/etl/bin/python"}]
    found = written(options={"environments": given})
    assert found["environments"] == [
        {"name": "ml", "slots": 2, "interpreter": "/opt/tasks/bin/python"},
        {"name": "etl", "interpreter": "/opt/etl/bin/python"},
    ]
