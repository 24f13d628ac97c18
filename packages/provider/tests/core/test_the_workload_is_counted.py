"""What a Deployment tells its platform: how many agents it has, and how much work."""

from __future__ import annotations

from sqlalchemy import text

from tradewind_protocol.access import Workload
from tradewind_provider.airflow.database import create_session
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import database_size, workload

from .scenes import SETTINGS, Clock, Plane, queued, sweeper_of, with_cadence

BEATS = HeartbeatLimits(25.0, 75.0)


def counted(clock: Clock) -> Workload:
    with create_session() as db:
        return workload.count(db, now=clock(), beats=BEATS)


async def test_what_waits_and_what_agents_have_is_counted(plane: Plane, clock: Clock) -> None:
    assert counted(clock) == Workload(agents=0, healthy_agents=0, running=0, queued=0)
    first, _ = queued(clock), queued(clock)
    assert counted(clock) == Workload(agents=0, healthy_agents=0, running=0, queued=2)
    agent = await plane.agent().opens()
    (offer,) = await agent.offers(free=1)
    assert offer["attempt_id"] == str(first)
    await agent.start(offer)
    assert counted(clock) == Workload(agents=1, healthy_agents=1, running=1, queued=1)
    await agent.finish(offer)
    assert counted(clock) == Workload(agents=1, healthy_agents=1, running=0, queued=1)


async def test_an_agent_that_was_lost_is_missed_for_an_hour_and_one_that_left_is_not(
    plane: Plane, clock: Clock
) -> None:
    sweeper = sweeper_of(with_cadence(SETTINGS, sweep=5.0), clock)
    stays, leaves, dies = [await plane.agent(name).opens() for name in ("stays", "leaves", "dies")]
    for agent in (stays, leaves, dies):
        await agent.poll()
    assert counted(clock) == Workload(agents=3, healthy_agents=3, running=0, queued=0)
    await leaves.goodbye()

    for _ in range(16):
        clock.forward(5)
        await stays.poll()
        await sweeper.once()
    assert counted(clock) == Workload(agents=2, healthy_agents=1, running=0, queued=0)
    clock.forward(3600)
    await stays.opens()  # its session's token has expired
    await stays.poll()
    assert counted(clock) == Workload(agents=1, healthy_agents=1, running=0, queued=0)


async def test_an_agent_that_came_back_is_counted_once(plane: Plane, clock: Clock) -> None:
    sweeper = sweeper_of(with_cadence(SETTINGS, sweep=5.0), clock)
    agent = await plane.agent().opens()
    for _ in range(20):
        clock.forward(5)
        await sweeper.once()
    assert counted(clock) == Workload(agents=1, healthy_agents=0, running=0, queued=0)
    await agent.opens()
    await agent.poll()
    assert counted(clock) == Workload(agents=1, healthy_agents=1, running=0, queued=0)


async def test_the_size_of_the_database_grows_with_what_is_in_it(plane: Plane, clock: Clock) -> None:
    def bytes() -> int:
        with create_session() as db:
            found = database_size.size(db)
        assert found is not None
        return found

    before = bytes()
    assert before > 100_000, "Airflow's tables alone"
    with create_session() as db:
        db.execute(text("CREATE TABLE filler (one TEXT)"))
    try:
        with create_session() as db:
            db.execute(text("INSERT INTO filler VALUES (:one)"), [{"one": "a" * 4000}] * 1000)
        assert bytes() > before
    finally:
        with create_session() as db:
            db.execute(text("DROP TABLE filler"))
