"""Outcomes of work reach the plane, whatever is lost or away meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.access.local_secrets import AttemptPrincipal
from tradewind_agent.testing import FakePlane
from tradewind_protocol.attempts import AttemptRef, Offer, WorkKind
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.hosts import RunAttempt
from tradewind_protocol.states import AttemptState, OutcomeKind

# finer than the loop's own clock: with the coarser default of Python 3.10's looptime its time can stand still
pytestmark = pytest.mark.looptime(resolution=1e-9)


async def test_outcomes_of_the_same_moment_go_in_one_request(agent: AgentUnderTest, plane: FakePlane):
    attempts = [plane.queue(taking=3) for _ in range(8)]
    async with agent.with_settings(slots=8):
        await plane.until(lambda: all(attempt.outcomes for attempt in attempts))
        await plane.until(lambda: not agent.agent.outbox.unfinished())
    assert [path for _, path in plane.requests if path.endswith("/finish")] == ["/attempts/finish"]
    assert all(len(attempt.outcomes) == 1 for attempt in attempts)


async def test_an_outcome_the_plane_refuses_does_not_keep_those_beside_it(
    agent: AgentUnderTest, plane: FakePlane
):
    attempts = [plane.queue(taking=3) for _ in range(4)]
    async with agent.with_settings(slots=4):
        await plane.until(lambda: len(agent.launcher.ran()) == 4)
        attempts[1].epoch += 1  # somebody else has it by now
        await plane.until(lambda: sum(len(attempt.outcomes) for attempt in attempts) == 3)
        await asyncio.sleep(10)
        assert not agent.agent.outbox.unfinished()
    assert [len(attempt.outcomes) for attempt in attempts] == [1, 0, 1, 1]


@pytest.mark.parametrize("code", [Code.NOT_FOUND, Code.INTERNAL])
async def test_a_plane_that_cannot_take_several_outcomes_gets_each_for_itself(
    agent: AgentUnderTest, plane: FakePlane, code: Code
):
    plane.refuse = lambda path: Refused(code, "no") if path == "/attempts/finish" else None
    attempts = [plane.queue(taking=3) for _ in range(4)]
    async with agent.with_settings(slots=4):
        await plane.until(lambda: all(attempt.outcomes for attempt in attempts))
    assert all(attempt.outcome is OutcomeKind.SUCCEEDED for attempt in attempts)


@pytest.mark.parametrize("verb", ["/sessions", "/poll", "/run", "/finish"])
async def test_a_lost_answer_changes_nothing(agent: AgentUnderTest, plane: FakePlane, verb: str):
    attempt = plane.queue(taking=5)
    agent.network.of(verb, times=2)
    async with agent:
        await plane.until(lambda: attempt.state is AttemptState.FINISHED)
        await plane.until(lambda: len(agent.network.lost) == 2 and not agent.agent.outbox.unfinished())
    assert agent.network.lost == [verb, verb]
    assert len(plane.sessions) == 1
    assert agent.launcher.ran() == [AttemptRef(attempt_id=attempt.id, epoch=1)]
    assert {outcome.kind for outcome in attempt.outcomes} == {OutcomeKind.SUCCEEDED}


async def test_a_lost_answer_to_a_hand_back_changes_nothing(agent: AgentUnderTest, plane: FakePlane):
    async with agent:
        await agent.ready()
        agent.agent.running.cordoned = True  # after the poll has said that there is room
        agent.network.of("/hand-back")
        attempt = plane.queue()
        await plane.until(lambda: attempt.handed_back)
        await asyncio.sleep(3)
        assert attempt.handed_back == ["the agent is cordoned"]
        assert attempt.state is AttemptState.QUEUED


async def test_while_the_plane_is_away_work_goes_on_and_its_outcome_arrives_later(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue(taking=30)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        agent.network.down = True
        await asyncio.sleep(120)
        assert len(agent.agent.outbox) == 1
        agent.network.down = False
        came_back = asyncio.get_running_loop().time()
        await plane.until(lambda: attempt.outcomes)
        assert asyncio.get_running_loop().time() - came_back <= plane.cadence.retry_most + 1
    ended_at, started_at = attempt.outcomes[0].ended_at, attempt.outcomes[0].started_at
    assert ended_at is not None and started_at is not None
    assert attempt.outcomes[0].kind is OutcomeKind.SUCCEEDED


async def test_an_offer_read_late_does_not_run_again_what_has_ended_and_is_not_reported(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue(taking=1)
    plane.refuse = lambda path: Refused(Code.UNAVAILABLE, "busy") if path.endswith("/finish") else None
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        await asyncio.sleep(2)
        assert len(agent.agent.outbox) == 1
        # as in the answer to an older poll, made when the offer was open
        agent.agent.running.accept(
            [
                Offer(
                    attempt_id=attempt.id,
                    epoch=1,
                    kind=WorkKind.TASK,
                    queue="default",
                    workload={},
                    confirm_within=9,
                )
            ]
        )
        await asyncio.sleep(2)
        assert len(agent.launcher.ran()) == 1
        plane.refuse = lambda path: None
        await plane.until(lambda: attempt.outcomes)
    assert attempt.starts == 1


async def test_an_outage_is_over_at_the_first_answer_and_not_at_the_end_of_a_poll(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent:
        await agent.ready()
        agent.network.down = True
        await asyncio.sleep(40)
        assert not agent.agent.plane.reachable
        agent.network.down = False
        before = asyncio.get_running_loop().time()
        await agent.agent.plane.wait_reachable()
        assert asyncio.get_running_loop().time() - before <= plane.cadence.retry_most


async def test_an_outcome_left_by_an_earlier_life_is_delivered_by_the_next(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue(taking=5)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        agent.network.down = True
        await asyncio.sleep(10)
        assert agent.agent.outbox.unfinished() == {attempt.id}
    agent.network.down = False
    assert attempt.outcomes == []
    async with agent.again():
        await plane.until(lambda: attempt.outcomes)
        await agent.agent.outbox.wait_empty()
    assert [outcome.kind for outcome in attempt.outcomes] == [OutcomeKind.SUCCEEDED]
    assert len(plane.sessions) == 2
    assert plane.session.opened.unreported == (AttemptRef(attempt_id=attempt.id, epoch=1),)
    assert agent.launcher.ran() == []


async def test_an_attempt_is_named_as_running_until_the_plane_has_heard_its_outcome(
    agent: AgentUnderTest, plane: FakePlane
):
    broken = Refused(Code.INTERNAL, "a bug of the plane")
    plane.refuse = lambda path: broken if path.endswith("/finish") else None
    attempt = plane.queue(taking=1)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        await asyncio.sleep(60)
        assert not agent.agent.running.live
        assert plane.session.polls[-1][1].running == (AttemptRef(attempt_id=attempt.id, epoch=1),)
        plane.refuse = lambda path: None
        await plane.until(lambda: attempt.outcomes)
        await asyncio.sleep(60)
        assert plane.session.polls[-1][1].running == ()


async def test_a_secret_of_an_attempt_opens_nothing_once_it_has_ended(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue(taking=5)
    async with agent:
        await plane.until(lambda: agent.launcher.ran())
        (run,) = (each for each in agent.launcher.worker.received if isinstance(each, RunAttempt))
        principal = agent.agent.secrets.resolve(run.secret)
        assert isinstance(principal, AttemptPrincipal) and principal.attempt_id == attempt.id
        await plane.until(lambda: attempt.outcomes)
        assert agent.agent.secrets.resolve(run.secret) is None


async def test_an_outcome_a_full_disk_refuses_is_written_when_there_is_room_again(
    agent: AgentUnderTest, plane: FakePlane
):
    attempts = [plane.queue(taking=5), plane.queue(taking=5)]
    async with agent.with_settings(slots=1):
        await plane.until(lambda: agent.launcher.ran())
        agent.agent.outbox._connection.execute("pragma query_only = on")
        await asyncio.sleep(60)
        assert len(agent.launcher.ran()) == 1
        agent.agent.outbox._connection.execute("pragma query_only = off")
        await plane.until(lambda: all(attempt.outcomes for attempt in attempts))
