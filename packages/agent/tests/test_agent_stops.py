"""Stopping gently and at once, and what the plane can ask for."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.testing import FakePlane
from tradewind_protocol.polling import Verb
from tradewind_protocol.states import AttemptState, OutcomeKind

pytestmark = pytest.mark.looptime(resolution=1e-9)


async def test_an_idle_agent_that_is_asked_to_stop_says_goodbye_and_is_gone(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent:
        await agent.ready()
        before = asyncio.get_running_loop().time()
        agent.agent.drain.request("SIGTERM")
        assert await agent.ended() == "SIGTERM"
        assert asyncio.get_running_loop().time() - before < 2
    assert plane.session.ended == "goodbye"
    assert plane.session.polls[-1][1].draining


async def test_the_ledger_tells_of_the_goodbye(agent: AgentUnderTest, plane: FakePlane):
    async with agent:
        await agent.ready()
        agent.agent.drain.request("SIGTERM")
        await agent.ended()
    last = list(agent.agent.ledger.read())[-1]
    assert (last["method"], last["path"], last["left"]) == ("DELETE", "/sessions", True)
    assert not agent.agent.ledger.problem


async def test_what_runs_ends_by_itself_within_the_grace_and_its_outcome_arrives(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue(taking=60)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        agent.agent.drain.request("SIGTERM")
        await agent.ended()
    assert [outcome.kind for outcome in attempt.outcomes] == [OutcomeKind.SUCCEEDED]
    assert plane.session.ended == "goodbye"


async def test_a_draining_agent_polls_on_so_that_its_leases_live(agent: AgentUnderTest, plane: FakePlane):
    plane.queue(taking=200)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        agent.agent.drain.request("SIGTERM")
        await agent.ended()
    times = [time for time, _ in plane.session.polls]
    assert max(later - earlier for earlier, later in pairwise(times)) <= plane.cadence.poll + 1
    assert all(room.free == 0 for _, poll in plane.session.polls if poll.draining for room in poll.room)


async def test_work_offered_while_the_agent_begins_to_drain_goes_back_at_once(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent:
        await agent.ready()
        # Queued first: the poll that waits is answered with it after the drain has begun.
        attempt = plane.queue()
        agent.agent.drain.request("SIGTERM")
        await agent.ended()
    assert attempt.state is AttemptState.QUEUED
    assert agent.launcher.ran() == []


async def test_what_does_not_end_within_the_grace_is_stopped_with_a_reason(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue(taking=100_000)
    async with agent.with_settings(grace=40):
        await plane.until(lambda: agent.launcher.ran())
        before = asyncio.get_running_loop().time()
        agent.agent.drain.request("SIGTERM")
        await agent.ended()
        assert 40 <= asyncio.get_running_loop().time() - before < 43
    assert attempt.outcomes[0].kind is OutcomeKind.STOPPED
    assert "the agent was stopped (SIGTERM)" in attempt.outcomes[0].reason


async def test_a_second_request_stops_what_runs_at_once(agent: AgentUnderTest, plane: FakePlane):
    attempt = plane.queue(taking=100_000)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        agent.agent.drain.request("SIGTERM")
        await asyncio.sleep(5)
        before = asyncio.get_running_loop().time()
        agent.agent.drain.now("SIGTERM")
        await agent.ended()
        assert asyncio.get_running_loop().time() - before < 2
    assert attempt.outcomes[0].kind is OutcomeKind.STOPPED


async def test_an_agent_that_stops_while_the_plane_is_away_keeps_the_outcome(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue(taking=10)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        agent.network.down = True
        agent.agent.drain.request("SIGTERM")
        await agent.ended()
    assert attempt.outcomes == []
    with agent.agent.outbox as outbox:
        assert outbox.unfinished() == {attempt.id}


async def test_a_drain_asked_for_by_the_plane_ends_the_agent(agent: AgentUnderTest, plane: FakePlane):
    async with agent:
        await agent.ready()
        plane.command(Verb.DRAIN)
        assert await agent.ended() == "a test asks"


async def test_a_cordoned_agent_takes_nothing_until_it_is_resumed(agent: AgentUnderTest, plane: FakePlane):
    async with agent:
        await agent.ready()
        cordon = plane.command(Verb.CORDON)
        await plane.until(lambda: cordon.id not in plane.commands)
        attempt = plane.queue()
        await asyncio.sleep(60)
        assert attempt.state is AttemptState.QUEUED and attempt.epoch == 0
        plane.command(Verb.RESUME)
        await plane.until(lambda: attempt.outcomes)


async def test_slots_can_be_changed_while_the_agent_runs(agent: AgentUnderTest, plane: FakePlane):
    async with agent.with_settings(slots=1):
        await agent.ready()
        plane.command(Verb.SET_SLOTS, environment="default", slots=3)
        for _ in range(5):
            plane.queue(taking=1000)
        await plane.until(lambda: len(agent.launcher.ran()) == 3)
        await asyncio.sleep(60)
        assert len(agent.launcher.ran()) == 3
        told = [poll.environments for _, poll in plane.session.polls if poll.environments]
        assert told[-1][0].slots == 3


async def test_a_command_that_makes_no_sense_is_confirmed_and_breaks_nothing(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent:
        await agent.ready()
        plane.command(Verb.SET_SLOTS, environment="default", slots="many")
        plane.command(Verb.STOP_ATTEMPT, attempt_id="nobody")
        plane.command(Verb.STREAM_LOG)
        await plane.until(lambda: not plane.commands)
        attempt = plane.queue()
        await plane.until(lambda: attempt.outcomes)


async def test_a_command_that_comes_again_is_confirmed_again_and_carried_out_once(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent:
        await agent.ready()
        cordon = plane.command(Verb.CORDON)
        await plane.until(lambda: cordon.id not in plane.commands)
        agent.agent.running.cordoned = False
        plane.commands[cordon.id] = cordon  # as if the confirmation had never arrived
        await plane.until(lambda: cordon.id not in plane.commands)
        assert not agent.agent.running.cordoned
        await asyncio.sleep(60)
        assert plane.session.polls[-1][1].carried_out == ()
