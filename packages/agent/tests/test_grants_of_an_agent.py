"""Work runs with a grant, which a task asks for as it starts."""

from __future__ import annotations

import asyncio

import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.testing import FakePlane
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.polling import Verb
from tradewind_protocol.states import OutcomeKind

# finer than the loop's own clock: with the coarser default of Python 3.10's looptime its time can stand still
pytestmark = pytest.mark.looptime(resolution=1e-9)


async def test_nothing_runs_without_a_grant(agent: AgentUnderTest, plane: FakePlane):
    plane.refuse = lambda path: Refused(Code.LEASE_LOST, "too late") if path.endswith("/run") else None
    plane.queue()
    async with agent:
        await plane.until(lambda: any(path.endswith("/run") for _, path in plane.requests))
        await asyncio.sleep(1)
        assert agent.launcher.ran() == []


async def test_a_task_asks_for_its_grant_itself_as_it_starts(agent: AgentUnderTest, plane: FakePlane):
    attempt = plane.queue(taking=1)
    async with agent:
        await plane.until(lambda: attempt.outcomes)
    assert attempt.starts == 1
    assert not any(path.endswith("/start") for _, path in plane.requests)


async def test_work_whose_host_dies_before_it_asked_goes_back_and_costs_no_try(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent:
        await agent.ready()
        attempt = plane.queue(starting=5)
        await asyncio.sleep(2)
        assert agent.agent.running.holding()
        agent.launcher.worker.exit(-9)
        await plane.until(lambda: attempt.handed_back)
        assert "killed by SIGKILL" in attempt.handed_back[0]
        await plane.until(lambda: attempt.outcomes)  # it is offered again, and runs
    assert [outcome.kind for outcome in attempt.outcomes] == [OutcomeKind.SUCCEEDED]


async def test_a_host_that_takes_longer_than_an_offer_lasts_is_asked_for(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue(starting=60)
    async with agent:
        await plane.until(lambda: attempt.outcomes)
    assert (attempt.epoch, attempt.outcomes[0].kind) == (1, OutcomeKind.SUCCEEDED)
    assert [path.rpartition("/")[2] for _, path in plane.requests if str(attempt.id) in path] == [
        "start",
        "run",
        "finish",
    ]


async def test_a_slow_host_is_stopped_when_its_offer_is_gone(agent: AgentUnderTest, plane: FakePlane):
    async with agent:
        await agent.ready()
        attempt = plane.queue(starting=60)
        await asyncio.sleep(2)
        plane.take_back(attempt)
        await agent.agent.running.settled()
        assert asyncio.get_running_loop().time() < 30
    assert agent.launcher.ran() == [] and not attempt.outcomes


async def test_work_that_is_stopped_before_it_asked_goes_back(agent: AgentUnderTest, plane: FakePlane):
    async with agent:
        await agent.ready()
        attempt = plane.queue(starting=60)
        await asyncio.sleep(2)
        assert agent.agent.running.holding()
        plane.command(Verb.STOP_ATTEMPT, attempt_id=str(attempt.id), epoch=1)
        await plane.until(lambda: attempt.handed_back)
    assert attempt.handed_back[0] == "a test asks"
    assert not attempt.outcomes


async def test_work_that_ends_before_it_asked_for_a_reason_of_its_own_is_reported(
    agent: AgentUnderTest, plane: FakePlane
):
    agent.launcher.gateway = None
    attempt = plane.queue(taking=1, outcome="failed")
    async with agent:
        agent.launcher.gateway = None
        await plane.until(lambda: attempt.outcomes)
    assert (attempt.starts, [outcome.kind for outcome in attempt.outcomes]) == (1, [OutcomeKind.FAILED])
    assert not attempt.handed_back


async def test_a_grant_whose_answer_is_lost_while_the_host_dies_is_found_out(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue(taking=1000)
    agent.network.of("/run")
    async with agent:
        await plane.until(lambda: attempt.starts == 1)
        agent.launcher.worker.exit(-9)
        await plane.until(lambda: attempt.outcomes)
    assert [outcome.kind for outcome in attempt.outcomes] == [OutcomeKind.FAILED]
    assert not attempt.handed_back
