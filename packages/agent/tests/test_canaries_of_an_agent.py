"""What an agent does with a canary: it takes no slot, ends within a time, and says how far it came."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.testing import FakePlane
from tradewind_agent.work import canaries
from tradewind_protocol.attempts import CanaryHop, Offer, WorkKind
from tradewind_protocol.states import AttemptState, OutcomeKind

# finer than the loop's own clock: with the coarser default of Python 3.10's looptime its time can stand still
pytestmark = pytest.mark.looptime(resolution=1e-9)


async def test_a_canary_is_confirmed_and_says_how_long_each_part_took(
    agent: AgentUnderTest, plane: FakePlane
) -> None:
    canary = plane.queue(kind=WorkKind.CANARY, taking=2)
    async with agent:
        await plane.until(lambda: canary.outcomes)
        assert agent.agent.running.ended == {}, "it is no work that metrics count"
    (outcome,) = canary.outcomes
    assert outcome.kind is OutcomeKind.SUCCEEDED
    assert (outcome.canary.failed, outcome.canary.log) == (None, 0.0)
    assert outcome.canary.start == pytest.approx(2.0, abs=0.01)
    assert canary.starts == 1


async def test_a_canary_takes_no_slot_from_work_that_comes(agent: AgentUnderTest, plane: FakePlane) -> None:
    async with agent.with_settings(slots=1):
        canary = plane.queue(kind=WorkKind.CANARY, taking=9)
        await plane.until(lambda: canary.starts)
        work = plane.queue(taking=1)
        await plane.until(lambda: work.outcomes)
        assert not canary.outcomes
        assert not work.handed_back
        await plane.until(lambda: canary.outcomes)


async def test_a_canary_that_finds_every_slot_taken_is_declined(
    agent: AgentUnderTest, plane: FakePlane
) -> None:
    async with agent.with_settings(slots=1):
        await agent.ready()
        work = plane.queue(taking=30)
        canary = plane.queue(kind=WorkKind.CANARY)
        await plane.until(lambda: work.starts)
        # the plane's count of free slots may be older than the agent's
        canary.state, canary.epoch, canary.session_id = AttemptState.OFFERED, 1, plane.session.id
        canary.offered_until = float("inf")
        offer = Offer(
            attempt_id=canary.id,
            epoch=1,
            kind=canary.kind,
            queue=canary.queue,
            workload={},
            confirm_within=10.0,
        )
        agent.agent.running.accept([offer])
        await plane.until(lambda: canary.handed_back)
    assert canary.handed_back == ["no free slot"]


async def test_a_worker_that_does_not_start_it_fails_its_start(
    agent: AgentUnderTest, plane: FakePlane
) -> None:
    async with agent:
        await agent.ready()
        canary = plane.queue(kind=WorkKind.CANARY, taking=3600)
        await plane.until(lambda: canary.starts)
        began = asyncio.get_running_loop().time()
        await plane.until(lambda: canary.outcomes)
        assert asyncio.get_running_loop().time() - began < canaries.LONGEST + 1
        await plane.until(lambda: not agent.launcher.worker.attempts)
    (outcome,) = canary.outcomes
    assert (outcome.kind, outcome.canary.failed) == (OutcomeKind.FAILED, CanaryHop.START)
    assert "worker process of environment default" in outcome.reason


async def test_a_worker_that_dies_fails_its_start(agent: AgentUnderTest, plane: FakePlane) -> None:
    async with agent:
        await agent.ready()
        canary = plane.queue(kind=WorkKind.CANARY, taking=5)
        await plane.until(lambda: agent.agent.running.running())
        agent.launcher.worker.exit(-9)
        await plane.until(lambda: canary.outcomes)
    (outcome,) = canary.outcomes
    assert (outcome.kind, outcome.canary.failed) == (OutcomeKind.FAILED, CanaryHop.START)
    assert "killed by SIGKILL" in outcome.reason


async def test_a_rule_refuses_it_by_queue_and_hours_do_not(
    agent: AgentUnderTest, plane: FakePlane, tmp_path: Path
) -> None:
    allowed = plane.queue(kind=WorkKind.CANARY)
    other = plane.queue("other", kind=WorkKind.CANARY)
    rules = {"queues": ["default"], "hours": []}
    async with agent.with_settings(queues=["default", "other"], rules=rules):
        await plane.until(lambda: allowed.outcomes and other.outcomes)
    assert allowed.outcomes[0].kind is OutcomeKind.SUCCEEDED
    assert (other.outcomes[0].kind, other.outcomes[0].rule) == (OutcomeKind.FAILED, "queues")
    assert other.outcomes[0].canary is None, "it came no further than its claim"


async def test_an_environment_of_an_older_runtime_is_offered_none(
    agent: AgentUnderTest, plane: FakePlane
) -> None:
    agent.launcher.canary = False
    canary = plane.queue(kind=WorkKind.CANARY)
    work = plane.queue()
    async with agent:
        await plane.until(lambda: work.outcomes)
    assert canary.epoch == 0
