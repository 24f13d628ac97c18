"""Simulated agents say what the plane needs to know to offer them the tasks of the benchmark."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks import crowd
from tradewind.embedded.agent import AgentSettings
from tradewind_protocol.sessions import OpenSession


def test_a_simulated_agent_has_the_bundle_that_the_tasks_belong_to() -> None:
    said = OpenSession.model_validate(crowd.Crowd("127.0.0.1", 1, "token")._introduction(1, "default"))
    [environment] = said.environments
    assert environment.bundles is None, "it has those of the session"
    assert said.bundles == (AgentSettings.bundle,)
