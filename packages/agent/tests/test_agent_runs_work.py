"""What an agent promises about work, seen from the plane."""

from __future__ import annotations

import asyncio
import json
import socket
from itertools import pairwise

import httpx
import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.access.local_secrets import AttemptPrincipal
from tradewind_agent.errors import Fenced, RefusedForGood
from tradewind_agent.testing import FakePlane
from tradewind_protocol.attempts import AttemptRef, Offer, WorkKind
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.hosts import RunAttempt
from tradewind_protocol.polling import Verb
from tradewind_protocol.sessions import Policy
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


async def test_the_agents_bundles_win_over_those_of_its_own_environment(
    agent: AgentUnderTest, plane: FakePlane, monkeypatch: pytest.MonkeyPatch
):
    name = "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"
    monkeypatch.setenv(name, "[]")
    bundles = [{"name": "dags", "classpath": "x.Y", "kwargs": {"path": "/dags"}}]
    async with agent.with_settings(bundles=bundles):
        await agent.ready()
        host = agent.launcher.worker
        assert json.loads(host.command.env[name]) == bundles
        assert host.configured is not None and host.configured.options["bundles"] == bundles
        assert plane.session.opened.bundles == ("dags",)


async def test_hosts_are_told_where_people_reach_the_plane(agent: AgentUnderTest, plane: FakePlane):
    plane.base_url = "https://airflow.example.com"
    async with agent:
        await agent.ready()
        configured = agent.launcher.worker.configured
        assert configured is not None and configured.options["base_url"] == "https://airflow.example.com"


async def test_links_lead_to_the_agents_own_address_of_a_plane_that_names_no_other(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent:
        await agent.ready()
        configured = agent.launcher.worker.configured
        assert configured is not None
        assert configured.options["base_url"] == agent.agent.settings.plane_url


@pytest.mark.parametrize(
    ("opened", "asked", "xcom"),
    [({}, "strict", "strict"), ({"templates": "open"}, "open", "strict"), ({"xcom": "open"}, "open", "open")],
)
async def test_opening_one_kind_of_data_opens_no_other(
    agent: AgentUnderTest, plane: FakePlane, opened: dict[str, str], asked: str, xcom: str
):
    async with agent.with_settings(**opened):
        await agent.ready()
        assert plane.session.opened.policy.value == asked
        configured = agent.launcher.worker.configured
        assert configured is not None and configured.xcom is not None
        assert configured.xcom.value == xcom


async def test_an_agent_that_sends_source_asks_the_plane_to_take_it(agent: AgentUnderTest, plane: FakePlane):
    async with agent.with_settings(source="open"):
        await agent.ready()
        assert plane.session.opened.policy is Policy.OPEN


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


async def test_a_session_the_plane_has_forgotten_is_opened_anew(agent: AgentUnderTest, plane: FakePlane):
    async with agent:
        await agent.ready()
        plane.end_session()
        await plane.until(lambda: len(plane.sessions) == 2)
        attempt = plane.queue(taking=1)
        await plane.until(lambda: attempt.outcomes)
        assert plane.sessions[0].opened.instance == plane.sessions[1].opened.instance


async def test_a_newer_process_with_the_same_identity_ends_this_one(agent: AgentUnderTest, plane: FakePlane):
    attempt = plane.queue(taking=1000)
    with pytest.raises(Fenced, match="identity"):
        async with agent:
            await plane.until(lambda: agent.launcher.ran())
            plane.session.ended, plane.session.fenced = "fenced", True
            plane.end_session()
            await agent.ended()
    assert not agent.launcher.worker.attempts
    assert attempt.outcomes == []


@pytest.mark.parametrize(
    "code", [Code.TOKEN_UNKNOWN, Code.TOKEN_EXPIRED, Code.WRONG_DEPLOYMENT, Code.VERSION_SKEW]
)
async def test_a_refusal_that_only_a_person_can_cure_ends_the_agent_with_the_remedy(
    agent: AgentUnderTest, plane: FakePlane, code: Code
):
    plane.refuse = lambda path: Refused(code, "the reason", remedy="the cure")
    with pytest.raises(RefusedForGood, match="the reason.*the cure"):
        async with agent:
            await agent.ended()


async def test_an_address_that_is_not_allowed_is_tried_slowly_until_it_is(
    agent: AgentUnderTest, plane: FakePlane
):
    plane.refuse = lambda path: Refused(Code.ADDRESS_NOT_ALLOWED, "not on the list")
    async with agent:
        await asyncio.sleep(290)
        assert len(plane.requests) == 5
        plane.refuse = lambda path: None
        await agent.ready()


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


async def test_a_worker_host_is_given_no_secret_that_an_attempt_could_inherit(
    agent: AgentUnderTest, plane: FakePlane
):
    attempt = plane.queue()
    async with agent:
        await plane.until(lambda: attempt.outcomes)
        assert agent.launcher.worker.configured is not None
        assert agent.launcher.worker.configured.secret == ""
        assert agent.agent.secrets.resolve("") is None


async def test_an_environment_is_starting_until_its_processes_are_ready(
    agent: AgentUnderTest, plane: FakePlane
):
    async with agent:
        await agent.ready()
        assert [one.starting for one in plane.session.opened.environments] == [True]
        known = [poll.environments for _, poll in plane.session.polls if poll.environments is not None]
        assert known[-1] is not None
        assert [one.starting for one in known[-1]] == [False]
