"""Without a session an agent token says whether it is good, and lets a scaler see what waits."""

from __future__ import annotations

from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import queue_depths, tokens
from tradewind_provider.services.queue_depths import QueueCount, QueueCountCache

from .scenes import Clock, Plane, queued, sessions_of


async def test_a_good_token_is_told_what_it_opens_and_opens_nothing_by_it(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    answer = await agent.call("GET", "/token", bearer=plane.secret)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["token"], said["site"], said["deployment"], said["expires_at"]) == (
        "ci",
        "default",
        "default",
        None,
    )
    assert said["airflow_version"].startswith("3.")
    assert said["now"].startswith("2026-03-01T12:00:00")
    assert [one.ended_at for one in sessions_of(agent.agent_id)] == [None], "nobody was fenced"


async def test_a_token_that_is_no_good_is_told_why(plane: Plane, clock: Clock) -> None:
    agent = plane.agent()
    assert (await agent.call("GET", "/token", bearer="nonsense")).json()["error"] == "token_malformed"
    with create_session() as db:
        (token,) = tokens.listed(db)
        tokens.delete(db, token.id, deleted_by="ada", now=clock())
    assert (await agent.call("GET", "/token", bearer=plane.secret)).json()["error"] == "token_deleted"
    assert (await agent.call("GET", "/queues", bearer=plane.secret)).json()["error"] == "token_deleted"


async def test_a_session_token_is_not_an_agent_token(plane: Plane) -> None:
    agent = await plane.agent().opens()
    assert (await agent.call("GET", "/queues")).status_code == 401


async def test_a_scaler_sees_what_waits_and_runs_also_while_no_agent_is_there(
    plane: Plane, clock: Clock
) -> None:
    for _ in range(3):
        queued(clock, queue="gpu")
    clock.forward(30)
    queued(clock, queue="team/a")
    scaler = plane.agent()
    answer = await scaler.call("GET", "/queues", bearer=plane.secret)
    by_name = {one["queue"]: one for one in answer.json()["queues"]}
    assert (by_name["gpu"]["depth"], by_name["gpu"]["oldest_wait"], by_name["gpu"]["work"]) == (3, 30.0, 3)
    one = await scaler.call("GET", "/queues/team/a", bearer=plane.secret)
    assert one.json()["work"] == 1
    nobody = await scaler.call("GET", "/queues/unheard-of", bearer=plane.secret)
    assert nobody.status_code == 200 and nobody.json()["work"] == 0


async def test_what_runs_keeps_its_agents_even_when_nothing_waits(plane: Plane, clock: Clock) -> None:
    queued(clock)
    agent = await plane.agent().opens()
    (offer,) = await agent.offers()
    await agent.start(offer)
    assert (await agent.call("GET", "/queues/default", bearer=plane.secret)).json() | {"oldest_wait": 0} == {
        "queue": "default",
        "depth": 0,
        "oldest_wait": 0,
        "running": 1,
        "work": 1,
    }


async def test_however_many_ask_the_database_is_asked_once_in_five_seconds() -> None:
    looks, moment = 0, 0.0

    async def look() -> dict[str, QueueCount]:
        nonlocal looks
        looks += 1
        return {"default": QueueCount(depth=looks)}

    counts = QueueCountCache(look, monotonic=lambda: moment)
    for moment in (0.0, 1.0, 4.9):
        found, age = await counts.get()
        assert (found["default"].depth, age) == (1, moment)
    moment = 5.0
    assert (await counts.get())[0]["default"].depth == 2


async def test_the_oldest_is_the_oldest_that_waits(plane: Plane, clock: Clock) -> None:
    queued(clock)
    clock.forward(3600)
    queued(clock)
    with create_session() as db:
        counts = queue_depths.count(db)
    assert counts["default"]["default"].depth == 2
    assert (clock() - counts["default"]["default"].oldest).total_seconds() == 3600  # type: ignore[operator]
