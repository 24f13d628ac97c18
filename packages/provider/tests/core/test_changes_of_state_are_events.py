"""The history of an agent: every change of its state, once, with its cause."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from tradewind_provider.airflow.database import create_session
from tradewind_provider.settings import Settings
from tradewind_provider.store.tables import Event

from .scenes import Clock, Plane, sweeper_of

DISK = {"check": "disk", "message": "/state has 12 MB left", "remedy": "make room"}


def history() -> list[tuple[str, str]]:
    """(what happened, why) of agents, oldest first."""
    with create_session() as db:
        rows = db.scalars(
            select(Event).where(Event.subject == "agent:eu-1").order_by(Event.at, Event.id)
        ).all()
        return [(row.action, row.reason) for row in rows]


async def test_an_agent_that_polls_is_healthy_once(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    assert [action for action, _ in history()] == ["session_opened"]
    for _ in range(3):
        assert (await agent.poll()).is_success
        clock.forward(10)
    assert history()[1:] == [("agent_healthy", "polled for the first time, and its own checks pass")]


async def test_a_check_that_fails_and_passes_again_is_written_down_with_its_words(
    plane: Plane, clock: Clock
) -> None:
    agent = await plane.agent().opens()
    for findings in ([], [DISK], [DISK], []):
        clock.forward(10)
        assert (await agent.poll(findings=findings)).is_success
    assert history()[2:] == [
        ("agent_degraded", "/state has 12 MB left"),
        ("agent_healthy", "its own checks pass again"),
    ]


async def test_silence_and_its_end_are_written_down_by_one_of_two_servers(
    plane: Plane, clock: Clock, settings: Settings
) -> None:
    sweepers = [sweeper_of(replace(settings, sweep=5.0), clock) for _ in range(2)]

    async def swept(seconds: int) -> None:
        for _ in range(seconds // 5):
            clock.forward(5)
            for sweeper in sweepers:
                await sweeper.once()

    agent = await plane.agent().opens()
    await agent.poll()
    await swept(40)
    await agent.poll()
    await swept(20)
    await swept(80)
    assert [action for action, _ in history()[2:]] == [
        "agent_unreachable",
        "agent_healthy",
        "agent_unreachable",
        "session_lost",
    ]
    assert history()[2][1] == "has sent no poll for 35 s (last at 2026-03-01 12:00:00 UTC)"
    assert history()[3][1] == "polls again, and its own checks pass"


async def test_silence_while_the_plane_was_away_is_nobodys(
    plane: Plane, clock: Clock, settings: Settings
) -> None:
    agent = await plane.agent().opens()
    await agent.poll()
    clock.forward(3000)
    sweeper = sweeper_of(replace(settings, sweep=5.0), clock)
    clock.forward(5)
    await sweeper.once()
    await agent.poll()
    assert [action for action, _ in history()] == ["session_opened", "agent_healthy"]
