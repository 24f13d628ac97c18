"""The agent passes on which accelerators are wanted, and shows which are on."""

from __future__ import annotations

import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.monitoring import metrics, status
from tradewind_agent.settings import Settings
from tradewind_agent.testing import FakePlane


@pytest.mark.parametrize(
    ("said", "meant"),
    [(None, ("all",)), ("none", ("none",)), ("shared_heap, early_imports", ("shared_heap", "early_imports"))],
)
def test_the_setting_is_all_none_or_names(
    monkeypatch: pytest.MonkeyPatch, said: str | None, meant: tuple[str, ...]
):
    if said is not None:
        monkeypatch.setenv("TRADEWIND_AGENT_ACCELERATORS", said)
    assert Settings(plane_url="http://plane.test", token="t").accelerators == meant


async def test_processes_are_told_and_what_they_answer_is_in_the_status_and_a_metric(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent.with_settings(accelerators=("shared_heap",)):
        await agent.ready()
        configured = agent.launcher.worker.configured
        assert configured is not None and configured.options["accelerators"] == ["shared_heap"]
        document = agent.agent.board.document()
    text = status.text(document)
    assert "accelerators on: shared_heap" in text
    assert "accelerator early_imports is off: there is one" in text
    [metric] = [one for one in metrics.METRICS if one.name == "tradewind_agent_accelerator"]
    assert sorted(metric.of(document)) == [
        (("worker", "default", "early_imports"), 0.0),
        (("worker", "default", "shared_heap"), 1.0),
    ]
