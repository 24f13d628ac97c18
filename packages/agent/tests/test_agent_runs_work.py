"""What an agent promises about work, seen from the plane."""

from __future__ import annotations

import asyncio
import json
import socket
from itertools import pairwise

import httpx
import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.testing import FakePlane
from tradewind_protocol.attempts import AttemptRef
from tradewind_protocol.polling import Verb
from tradewind_protocol.states import AttemptState, OutcomeKind

# finer than the loop's own clock: with the coarser default of Python 3.10's looptime its time can stand still
pytestmark = pytest.mark.looptime(resolution=1e-9)


async def test_work_is_confirmed_run_and_its_outcome_reported(agent: AgentUnderTest, plane: FakePlane):
    attempt = plane.queue(taking=5)
    async with agent:
        await plane.until(lambda: attempt.outcomes)
    assert attempt.starts == 1
    assert agent.launcher.ran() == [AttemptRef(attempt_id=attempt.id, epoch=1)]
    assert [outcome.kind for outcome in attempt.outcomes] == [OutcomeKind.SUCCEEDED]


async def test_an_offer_reaches_a_waiting_agent_at_once(looptime, agent: AgentUnderTest, plane: FakePlane):
    async with agent:
        await agent.ready()
        await asyncio.sleep(7)
        before = asyncio.get_running_loop().time()
        attempt = plane.queue(taking=0)
        await plane.until(lambda: attempt.outcomes)
        assert asyncio.get_running_loop().time() - before < 0.3


async def test_a_poll_that_arrives_after_a_newer_one_does_not_hide_the_free_slot(
    looptime, agent: AgentUnderTest, plane: FakePlane
):
    held_up = []

    def hold_up(request: httpx.Request) -> float:
        # The poll that says "no room" is overtaken by the one that says "one slot is free".
        full = request.url.path.endswith("/poll") and b'"free":0' in request.content
        held_up.extend([request] if full else [])
        return 9.0 if full else 0.0

    async with agent.with_settings(slots=1):
        await agent.ready()
        agent.network.hold_up = hold_up
        first = plane.queue(taking=5)
        await plane.until(lambda: first.outcomes)
        await asyncio.sleep(6)
        assert held_up
        before = asyncio.get_running_loop().time()
        second = plane.queue(taking=0)
        await plane.until(lambda: second.outcomes)
        assert asyncio.get_running_loop().time() - before < 1


async def test_the_poll_is_repeated_as_often_as_the_plane_says(agent: AgentUnderTest, plane: FakePlane):
    async with agent:
        await agent.ready()
        await asyncio.sleep(100)
    waits = [later[0] - earlier[0] for earlier, later in pairwise(plane.session.polls)]
    assert max(waits) == pytest.approx(plane.cadence.poll, abs=0.2)
    assert 4 <= len(plane.session.polls) <= 9


async def test_never_more_attempts_than_slots_run_and_all_get_their_turn(
    agent: AgentUnderTest, plane: FakePlane
):
    attempts = [plane.queue(taking=3) for _ in range(7)]
    most = 0
    async with agent.with_settings(slots=2):
        while not all(attempt.outcomes for attempt in attempts):
            await plane.until(lambda: True)
            most = max(most, len(agent.launcher.worker.attempts) if agent.launcher.processes else 0)
            await asyncio.sleep(0.1)
        assert asyncio.get_running_loop().time() < 20
    assert most == 2
    assert all(attempt.starts == 1 and not attempt.handed_back for attempt in attempts)


async def test_work_for_a_queue_nobody_here_serves_is_never_asked_for(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue("gpu")
    async with agent:
        await agent.ready()
        await asyncio.sleep(60)
    assert attempt.state is AttemptState.QUEUED


async def test_each_environment_gets_the_work_of_its_queues(agent: AgentUnderTest, plane: FakePlane):
    of_a, of_b = plane.queue("a", taking=50), plane.queue("b", taking=50)
    environments = [{"name": "one", "queues": ["a"]}, {"name": "two", "queues": ["b"]}]
    async with agent.with_settings(environments=environments):
        await plane.until(lambda: len(agent.launcher.ran()) == 2)
        where = {each.offer.queue: each.environment for each in agent.agent.running.live}
    assert where == {"a": "one", "b": "two"}
    assert of_a.starts == of_b.starts == 1


async def test_an_attempt_that_is_stopped_says_who_asked(agent: AgentUnderTest, plane: FakePlane):
    attempt = plane.queue(taking=1000)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        command = plane.command(Verb.STOP_ATTEMPT, attempt_id=str(attempt.id), epoch=1)
        await plane.until(lambda: attempt.outcomes and command.id not in plane.commands)
        assert asyncio.get_running_loop().time() < 5
    assert (attempt.outcomes[0].kind, attempt.outcomes[0].reason) == (OutcomeKind.STOPPED, "a test asks")


async def test_a_stop_for_another_epoch_stops_nothing(agent: AgentUnderTest, plane: FakePlane):
    attempt = plane.queue(taking=30)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        plane.command(Verb.STOP_ATTEMPT, attempt_id=str(attempt.id), epoch=7)
        await plane.until(lambda: attempt.outcomes)
    assert attempt.outcomes[0].kind is OutcomeKind.SUCCEEDED


async def test_an_attempt_the_plane_has_given_up_is_stopped(agent: AgentUnderTest, plane: FakePlane):
    attempt = plane.queue(taking=1000)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        plane.take_back(attempt)
        await agent.agent.running.settled()
        assert asyncio.get_running_loop().time() < 30
        await asyncio.sleep(30)
        assert agent.agent.outbox.unfinished() == set()  # the plane refused the outcome, once and for all


async def test_a_worker_host_that_is_killed_fails_its_attempts_and_comes_back(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue(taking=1000)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        agent.launcher.worker.exit(-9)
        await plane.until(lambda: attempt.outcomes)
        assert attempt.outcomes[0].kind is OutcomeKind.FAILED
        assert "killed by SIGKILL" in attempt.outcomes[0].reason
        second = plane.queue(taking=1)
        await plane.until(lambda: second.outcomes)
        assert second.outcomes[0].kind is OutcomeKind.SUCCEEDED


@pytest.mark.parametrize("airflow", ["3.1.8", "3.4.0", "2.11.0"])
async def test_an_environment_of_a_far_airflow_minor_takes_no_work_and_says_why(
    agent: AgentUnderTest, plane: FakePlane, airflow: str
):
    agent.launcher.airflow = airflow
    attempt = plane.queue()
    async with agent:
        await plane.until(lambda: plane.sessions and any(poll.findings for _, poll in plane.session.polls))
        await asyncio.sleep(30)
        finding = plane.session.polls[-1][1].findings[0]
    assert attempt.state is AttemptState.QUEUED
    assert airflow in finding.message and "3.3" in finding.message and "3.3" in finding.remedy


async def test_an_environment_one_airflow_minor_behind_the_plane_takes_work(
    agent: AgentUnderTest, plane: FakePlane
):
    agent.launcher.airflow = "3.2.2"
    attempt = plane.queue(taking=1)
    async with agent:
        await plane.until(lambda: attempt.outcomes)
    assert attempt.outcomes[0].kind is OutcomeKind.SUCCEEDED


class OutOfStep(httpx.AsyncBaseTransport):
    """The first poll that speaks of environments is slow on its way there, the second one's answer on its way back: the
    plane hears them in one order, the agent of them in the other."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.told = -1000  # 0: from now on

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        there = back = 0.0
        if request.url.path.endswith("/poll") and json.loads(request.content)["environments"] is not None:
            self.told += 1
            there, back = (5.0 if self.told == 1 else 0.0), (27.0 if self.told == 2 else 0.0)
        await asyncio.sleep(there)
        response = await self._inner.handle_async_request(request)
        await asyncio.sleep(back)
        return response


async def test_what_the_plane_knows_of_environments_is_the_latest_however_polls_overtake_each_other(
    agent: AgentUnderTest, plane: FakePlane
):
    agent.network = network = OutOfStep(agent.network)  # type: ignore[assignment]
    async with agent:
        await agent.ready()
        await asyncio.sleep(1)
        network.told = 0
        agent.agent.environments.set_slots("default", 4)
        await asyncio.sleep(1)
        assert network.told == 1
        agent.agent.environments.set_slots("default", 3)  # while the first word is on its way
        await asyncio.sleep(100)
    known = [poll.environments for _, poll in plane.session.polls if poll.environments is not None]
    assert len(known) >= 2
    assert known[-1][0].slots == 3


async def test_a_port_for_probes_that_is_taken_is_a_finding_and_work_goes_on(
    agent: AgentUnderTest, plane: FakePlane
):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        attempt = plane.queue(taking=0)
        async with agent.with_settings(metrics_port=port):
            await plane.until(lambda: attempt.outcomes)
            found = {each.check: each for each in plane.session.polls[-1][1].findings}
            shown = agent.agent.board.document()["findings"]
    assert f"127.0.0.1:{port} cannot be opened: Address already in use" in found["port"].message
    assert "metrics_port" in found["port"].remedy
    assert [each["check"] for each in shown] == ["port"]


async def test_an_environment_is_starting_until_its_processes_are_ready(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent:
        await agent.ready()
        assert [one.starting for one in plane.session.opened.environments] == [True]
        known = [poll.environments for _, poll in plane.session.polls if poll.environments is not None]
        assert known[-1] is not None
        assert [one.starting for one in known[-1]] == [False]
