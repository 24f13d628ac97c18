"""What Prometheus hears of the plane."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.operator import QueueView
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.agent.sweeper import Sweeper
from tradewind_provider.services import metrics, tokens
from tradewind_provider.settings import Settings
from tradewind_provider.store.tables import AgentToken, Attempt

from .scenes import Agent, Clock, Plane, queued, sweeper_of


@pytest.fixture
def sweeper(settings: Settings, clock: Clock) -> Sweeper:
    return sweeper_of(replace(settings, sweep=5.0), clock)


async def test_a_scraper_with_an_agent_token_sees_agents_and_queues(plane: Plane, clock: Clock) -> None:
    queued(clock, queue="gpu")
    clock.forward(7)
    agent = await plane.agent().opens()
    await agent.poll()
    answer = await agent.call("GET", "/metrics", bearer=plane.secret)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    assert 'tradewind_plane_agents{state="healthy"} 1' in lines
    assert 'tradewind_plane_agents{state="lost"} 0' in lines, "a state nobody is in is there: alerts need it"
    assert 'tradewind_plane_queue_depth{site="default",queue="gpu"} 1' in lines
    assert 'tradewind_plane_queue_oldest_wait_seconds{site="default",queue="gpu"} 7' in lines
    assert 'tradewind_plane_queue_agents{site="default",queue="gpu"} 0' in lines
    assert 'tradewind_plane_queue_agents{site="default",queue="default"} 1' in lines
    assert "tradewind_plane_polls 0" in lines
    assert "# TYPE tradewind_plane_queue_depth gauge" in lines


async def falls_silent(sweeper: Sweeper, clock: Clock) -> None:
    """Three beats are missed, and the plane sweeps as it does."""
    for _ in range(17):
        clock.forward(5)
        await sweeper.once()


async def scraped(agent: Agent, plane: Plane) -> list[str]:
    """What Prometheus hears now, the few seconds passed for which an answer is kept."""
    plane.app.state.metrics_seen.at = None
    answer = await agent.call("GET", "/metrics", bearer=plane.secret)
    assert answer.status_code == 200
    return list(answer.text.splitlines())


async def test_an_agent_that_is_lost_stays_in_a_series_for_an_hour(
    plane: Plane, clock: Clock, sweeper: Sweeper
) -> None:
    agent = await plane.agent(name="eu-1").opens()
    await agent.poll()
    await agent.call("GET", "/metrics", bearer=plane.secret)
    await falls_silent(sweeper, clock)
    lost = 'tradewind_plane_agent_lost_timestamp_seconds{site="default",agent="eu-1"} '
    for _ in range(2):
        told = await scraped(agent, plane)
        assert [line for line in told if line.startswith(lost)], told
        assert 'tradewind_plane_agents{state="lost"} 1' in told
        clock.forward(40 * 60)
    told = await scraped(agent, plane)
    assert 'tradewind_plane_agents{state="lost"} 0' in told
    assert not [line for line in told if line.startswith("tradewind_plane_agent_lost")]


async def test_an_agent_that_is_back_is_lost_no_more_even_under_another_id(
    plane: Plane, clock: Clock, sweeper: Sweeper
) -> None:
    agent = await plane.agent(name="pod-0").opens()
    await agent.poll()
    await agent.call("GET", "/metrics", bearer=plane.secret)
    await falls_silent(sweeper, clock)
    again = await plane.agent(name="pod-0").opens()
    await again.poll()
    assert again.agent_id != agent.agent_id
    assert not [line for line in await scraped(again, plane) if line.startswith("tradewind_plane_agent_lost")]


async def test_ends_and_durations_of_attempts_are_counted_once(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    await agent.call("GET", "/metrics", bearer=plane.secret)
    task, _ = queued(clock), queued(clock)
    clock.forward(2)
    for offer in await agent.offers():
        assert (await agent.start(offer)).status_code == 200
        with create_session() as db:  # as the scheduler would have queued it
            db.execute(update(Attempt).where(Attempt.id == task).values(kind=WorkKind.TASK.value))
        clock.forward(10)
        assert (await agent.finish(offer, exit_code=0, task_state="failed")).status_code == 204
    for _ in range(3):
        told = await scraped(agent, plane)
        clock.forward(20)
    of_default = 'site="default",queue="default"'
    count = f"tradewind_plane_attempts_ended_total{{{of_default},process="
    assert f'{count}"exited",task_state="failed"}} 1' in told
    assert f'{count}"exited",task_state=""}} 1' in told, "a callback has no task"
    assert f'{count}"lost",task_state=""}} 0' in told, "there before the first: it would be no increase"
    run = "tradewind_plane_attempt_run_seconds"
    assert f'{run}_bucket{{{of_default},le="5"}} 0' in told
    assert f'{run}_bucket{{{of_default},le="15"}} 2' in told
    assert f'{run}_bucket{{{of_default},le="+Inf"}} 2' in told
    assert f"{run}_sum{{{of_default}}} 20" in told
    assert f"tradewind_plane_attempt_wait_seconds_sum{{{of_default}}} 14" in told
    assert "# TYPE tradewind_plane_attempt_run_seconds histogram" in told


async def test_refusals_are_counted_by_code(plane: Plane) -> None:
    agent = await plane.agent().opens()

    async def refused() -> int:
        answer = await agent.call("GET", "/metrics", bearer=plane.secret)
        found = re.search(r'refusals_total\{code="token_malformed"\} (\d+)', answer.text)
        return int(found[1]) if found else 0

    before = await refused()
    assert (await agent.call("GET", "/queues", bearer="nonsense")).status_code == 401
    assert await refused() == before + 1


async def test_a_token_that_expires_says_when(plane: Plane, clock: Clock) -> None:
    with create_session() as db:
        tokens.create(db, name="soon", expires_in_days=3, created_by="ada", now=clock.now, limit=50)
    told = (await plane.agent().call("GET", "/metrics", bearer=plane.secret)).text
    at = int(clock.now.timestamp()) + 3 * 86400
    assert f'agent_token_expiry_timestamp_seconds{{site="default",token="soon"}} {at}\n' in told
    assert 'token="ci"' not in told, "it never expires"


async def test_a_deleted_token_scrapes_for_two_seconds_at_most(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    for path in ("/metrics", "/queues"):
        assert (await agent.call("GET", path, bearer=plane.secret)).status_code == 200
    with create_session() as db:
        (token,) = db.scalars(select(AgentToken).where(AgentToken.name == "ci"))
        tokens.delete(db, token.id, deleted_by="ada", reason="", now=clock.now)
    known = plane.app.state.token_holders
    for key, (holder, until) in list(known.items()):  # two seconds pass
        known[key] = (holder, until - 2.0)
    for path in ("/metrics", "/queues"):
        answer = await agent.call("GET", path, bearer=plane.secret)
        assert (answer.status_code, answer.json()["error"]) == (403, "token_deleted")


async def test_nobody_else_sees_them(plane: Plane) -> None:
    agent = await plane.agent().opens()
    assert (await agent.call("GET", "/metrics")).status_code == 401
    assert (await agent.call("GET", "/metrics", bearer="nonsense")).status_code == 401


async def test_whether_agents_are_served_needs_no_credential(plane: Plane) -> None:
    answer = await plane.agent().client.get("/readyz")
    assert (answer.status_code, answer.text) == (200, "ready\n")


def test_however_many_queues_there_are_the_lines_are_limited() -> None:
    many = [QueueView(queue=f"q{n}", depth=n, oldest_wait=float(n), running=1) for n in range(500)]
    shown = metrics.limited(many, most=10)
    assert len(shown) == 10
    assert shown[-1].queue == "(other)" and {one.queue for one in shown[:-1]} == {
        f"q{n}" for n in range(491, 500)
    }
    assert sum(one.depth for one in shown) == sum(range(500))
    assert shown[-1].oldest_wait == 490


def test_a_name_with_quotes_breaks_no_line() -> None:
    view = QueueView(queue='a"b\\c\nd', depth=1, oldest_wait=0.0, running=0)
    assert 'depth{site="default",queue="a\\"b\\\\c\\nd"} 1' in metrics.text(
        metrics.PlaneSnapshot(queues=(view,))
    )
