"""Silence: who is given up, when, and what becomes of the work."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.agent.sweeper import Sweeper
from tradewind_provider.settings import Settings, parse_on_agent_loss
from tradewind_provider.store.tables import Event

from .scenes import NOON, Clock, Plane, queued, ref, row, sessions_of, sweeper_of


@pytest.fixture
def sweeping_settings(settings: Settings) -> Settings:
    return replace(settings, sweep=5.0)


async def swept(sweeper: Sweeper, clock: Clock, seconds: float) -> None:
    """Time goes by and the plane sweeps every five seconds."""
    for _ in range(int(seconds // 5)):
        clock.forward(5)
        await sweeper.once()


async def test_running_work_of_a_silent_agent_is_lost_after_three_beats(
    plane: Plane, clock: Clock, sweeping_settings: Settings
) -> None:
    sweeper = sweeper_of(sweeping_settings, clock)
    agent = await plane.agent().opens()
    ran, offered = queued(clock), queued(clock)
    offers = {offer["attempt_id"]: offer for offer in await agent.offers()}
    await agent.start(offers[str(ran)])

    await swept(sweeper, clock, 75)
    assert row(ran).state == "running"
    assert row(offered).state == "queued"  # its ten seconds were over long ago
    await swept(sweeper, clock, 5)

    assert (row(ran).state, row(ran).outcome) == ("finished", "lost")
    assert row(ran).reason.startswith(
        "agent 'eu-1' has sent no poll for 80 s (last at 2026-03-01 12:00:00 UTC)"
    )
    answer = await agent.poll(running=[ref(offers[str(ran)])])
    assert (answer.status_code, answer.json()["error"]) == (401, "session_expired")


async def test_an_api_server_that_stops_gives_nobody_up_for_the_polls_it_refuses(
    plane: Plane, clock: Clock, sweeping_settings: Settings
) -> None:
    sweeper = sweeper_of(sweeping_settings, clock)
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)

    await swept(sweeper, clock, 70)
    sweeper.stop_soon()
    await swept(sweeper, clock, 30)

    assert row(attempt).state == "running"


async def test_an_agent_that_polls_is_never_lost(
    plane: Plane, clock: Clock, sweeping_settings: Settings
) -> None:
    sweeper = sweeper_of(sweeping_settings, clock)
    agent = await plane.agent().opens()
    for _ in range(10):
        await swept(sweeper, clock, 25)
        assert (await agent.poll()).status_code == 200


async def test_a_plane_that_was_down_gives_agents_their_time(
    plane: Plane, clock: Clock, sweeping_settings: Settings
) -> None:
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    clock.forward(3000)  # nobody was there to hear

    sweeper = sweeper_of(sweeping_settings, clock)
    await swept(sweeper, clock, 70)
    assert row(attempt).state == "running"
    assert (await agent.poll(running=[ref(offer)])).status_code == 200
    await swept(sweeper, clock, 70)
    assert row(attempt).state == "running"


async def test_a_plane_that_was_stopped_in_between_starts_to_listen_anew(
    plane: Plane, clock: Clock, sweeping_settings: Settings
) -> None:
    sweeper = sweeper_of(sweeping_settings, clock)
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    await swept(sweeper, clock, 20)
    clock.forward(600)  # SIGSTOP, or the laptop's lid
    await sweeper.once()
    await swept(sweeper, clock, 70)
    assert row(attempt).state == "running"
    await swept(sweeper, clock, 10)
    assert row(attempt).outcome == "lost"


async def test_an_operator_can_have_work_outlive_a_partition(
    plane: Plane, clock: Clock, sweeping_settings: Settings
) -> None:
    rules = parse_on_agent_loss("retry, edge=wait:10m")
    sweeper = sweeper_of(replace(sweeping_settings, on_agent_loss=rules), clock)
    agent = await plane.agent(queues=("default", "edge")).opens()
    brief, patient = queued(clock), queued(clock, queue="edge")
    offers = {offer["attempt_id"]: offer for offer in await agent.offers()}
    for offer in offers.values():
        await agent.start(offer)

    await swept(sweeper, clock, 80)
    assert row(brief).outcome == "lost"
    assert row(patient).state == "running"

    # the partition ends: the same session goes on, and is told what was given up meanwhile
    answer = await agent.poll(running=[ref(offer) for offer in offers.values()])
    assert answer.json()["unknown"] == [ref(offers[str(brief)])]
    assert (await agent.finish(offers[str(patient)])).status_code == 204
    assert row(patient).outcome == "succeeded"
    with create_session() as db:
        actions = list(db.scalars(select(Event.action).order_by(Event.id)))
    assert actions[-2:] == ["agent_silent", "agent_returned"]


async def test_patience_ends(plane: Plane, clock: Clock, sweeping_settings: Settings) -> None:
    rules = parse_on_agent_loss("wait:10m")
    sweeper = sweeper_of(replace(sweeping_settings, on_agent_loss=rules), clock)
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    await swept(sweeper, clock, 600)
    assert row(attempt).state == "running"
    await swept(sweeper, clock, 5)
    assert row(attempt).outcome == "lost"
    (session,) = sessions_of(agent.agent_id)
    assert session.ended_how == "lost"


async def test_work_an_agent_forgot_is_given_up(
    plane: Plane, clock: Clock, sweeping_settings: Settings
) -> None:
    sweeper = sweeper_of(sweeping_settings, clock)
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    for _ in range(3):
        await agent.poll(free=0)  # names nothing; the outcome may be on its way
        await swept(sweeper, clock, 25)
    assert row(attempt).state == "running"
    await agent.poll(free=0)
    await swept(sweeper, clock, 5)
    assert row(attempt).outcome == "lost"
    assert "does not know of it any more" in row(attempt).reason


async def test_work_an_agent_names_again_is_not_given_up(
    plane: Plane, clock: Clock, sweeping_settings: Settings
) -> None:
    sweeper = sweeper_of(sweeping_settings, clock)
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    await agent.poll(free=0)
    await swept(sweeper, clock, 50)
    await agent.poll(free=0, running=[ref(offer)])
    await swept(sweeper, clock, 50)
    assert row(attempt).state == "running"


async def test_history_is_forgotten_and_live_rows_are_not(
    plane: Plane, clock: Clock, sweeping_settings: Settings
) -> None:
    agent = await plane.agent().opens()
    done, waits = queued(clock), queued(clock, queue="nobody")
    (offer,) = await agent.offers()
    await agent.start(offer)
    await agent.finish(offer)
    await agent.goodbye()
    clock.now = NOON + timedelta(days=15)
    await sweeper_of(sweeping_settings, clock).once()
    assert sessions_of(agent.agent_id) == []
    with pytest.raises(AssertionError):
        row(done)
    assert row(waits).state == "queued"
