"""A Deployment that hibernates or is upgraded is waited for, and said once (scenario 16)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.plane.closed import Closed, closed_by
from tradewind_agent.testing import FakePlane
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.states import AttemptState

pytestmark = pytest.mark.looptime(resolution=1e-9)


def closed(**detail: Any) -> Refused:
    said = {"reason": "deployment_hibernating", "retry_after": 15, **detail}
    return Refused(Code.UNAVAILABLE, "the Deployment hibernates", **said)


async def test_an_agent_says_once_that_it_sleeps_asks_at_its_pace_and_works_when_it_is_awake(
    agent: AgentUnderTest, plane: FakePlane, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def refuse(path: str) -> Refused:
        asked.append(path)
        return closed()

    async with agent:
        await agent.ready()
        plane.refuse = refuse
        await asyncio.sleep(600)
        assert 35 <= len(asked) <= 45, "each 15 seconds, and no other request"
        plane.refuse = lambda path: None
        attempt = plane.queue(taking=1)
        began = asyncio.get_running_loop().time()
        await plane.until(lambda: attempt.state is AttemptState.FINISHED)
        assert asyncio.get_running_loop().time() - began < 20
    said = capsys.readouterr().out
    assert said.count("action=deployment_closed") == 1 and "poll_failed" not in said


@pytest.mark.parametrize(
    "error",
    [PlaneUnreachable("no"), Refused(Code.UNAVAILABLE, "busy"), closed(reason="other"), closed(reason=7)],
    ids=["unreachable", "busy", "another reason", "no text"],
)
def test_every_other_failure_is_told_as_before(error: PlaneUnreachable | Refused) -> None:
    assert closed_by(error) is None


@pytest.mark.parametrize(("said", "waits"), [(3, 3), ("x", 15), (None, 15), (True, 15), (1e9, 300), (-1, 0)])
def test_an_agent_waits_as_asked_within_reason(said: Any, waits: float) -> None:
    assert closed_by(closed(retry_after=said)) == Closed(
        "deployment_hibernating", "the Deployment hibernates", waits
    )
