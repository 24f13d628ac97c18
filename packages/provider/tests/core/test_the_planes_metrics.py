"""What Prometheus hears of the plane."""

from __future__ import annotations

from tradewind_protocol.operator import QueueView
from tradewind_provider.services import metrics

from .scenes import Clock, Plane, queued


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
    assert 'depth{site="default",queue="a\\"b\\\\c\\nd"} 1' in metrics.text(metrics.Snapshot(queues=(view,)))
