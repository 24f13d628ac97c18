"""Many agents wait for work: what giving it out costs, and that nothing goes to one that cannot take it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import pytest

from tradewind_protocol.attempts import Offer
from tradewind_provider import notifications
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.dispatch import dispatcher
from tradewind_provider.domain.placement import Candidate, EnvironmentSlots
from tradewind_provider.services import assignment
from tradewind_provider.settings import Settings

from .scenes import Agent, Clock, Plane, queued, ref, row, running
from .test_what_idle_agents_cost import statements


def place(agent: Agent, *, free: int) -> Candidate:
    return Candidate(UUID(agent.session_id), (EnvironmentSlots(frozenset(agent.queues), free),))


def given_out(places: Sequence[Candidate], clock: Clock) -> Mapping[UUID, list[Offer]]:
    """What one look gives to those who wait at `places`."""
    with create_session() as db:
        return assignment.assign(db, places, waiting=assignment.depths(db), now=clock(), lasts=10.0).offers


async def several(plane: Plane, count: int) -> list[Agent]:
    return [await plane.agent(f"eu-{number}").opens() for number in range(count)]


async def test_work_for_many_agents_is_given_out_with_as_many_statements_as_for_one(
    plane: Plane, clock: Clock
) -> None:
    asked = {}
    for count in (1, 8):
        agents = await several(plane, count)
        for _ in agents:
            queued(clock)
        with statements() as asked[count]:
            found = given_out([place(agent, free=1) for agent in agents], clock)
        assert found.keys() == {UUID(agent.session_id) for agent in agents}
    assert len(asked[8]) == len(asked[1])


async def test_work_meant_for_a_session_that_ended_meanwhile_goes_to_another(
    plane: Plane, clock: Clock
) -> None:
    gone, first, second = await several(plane, 3)
    work = {queued(clock) for _ in range(4)}
    places = [place(gone, free=2), place(first, free=2), place(second, free=1)]
    await gone.goodbye()

    found = given_out(places, clock)

    offered = {session: {offer.attempt_id for offer in offers} for session, offers in found.items()}
    assert {session: len(ids) for session, ids in offered.items()} == {
        UUID(first.session_id): 2,
        UUID(second.session_id): 1,
    }
    for session, ids in offered.items():
        assert all(row(id_).session_id == session for id_ in ids)
    (left,) = work - set().union(*offered.values())
    assert (row(left).state, row(left).session_id) == ("queued", None)


async def test_work_that_was_offered_before_is_given_out_together_with_new_work(
    plane: Plane, clock: Clock
) -> None:
    refuses, takes = await several(plane, 2)
    old = queued(clock)
    (offer,) = await refuses.offers()
    await refuses.hand_back(offer)
    new = queued(clock)

    (offers,) = given_out([place(takes, free=2)], clock).values()

    assert {(one.attempt_id, one.epoch) for one in offers} == {(old, 2), (new, 1)}
    assert [(await takes.start(one.model_dump(mode="json"))).status_code for one in offers] == [200, 200]


async def test_more_work_than_the_roomiest_take_goes_to_the_others_at_the_same_news(
    plane: Plane, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_LOOK_ANYWAY", 3600.0)
    agents = await several(plane, dispatcher._MOST_FREE + 3)
    waiting = [asyncio.create_task(agent.offers(free=1, hold=20)) for agent in agents]
    while plane.dispatcher.polls < len(agents):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    with create_session() as db:
        work = {queued(clock, db=db) for _ in agents}

    answers = await asyncio.gather(*waiting)

    assert [len(offers) for offers in answers] == [1] * len(agents)
    assert {UUID(offer["attempt_id"]) for offers in answers for offer in offers} == work


_OF_SESSIONS = ("SELECT tradewind_command.id,", "SELECT tradewind_session.id ")


async def both_asked(heard: list[str]) -> None:
    while not all(any(one.startswith(of) for one in heard) for of in _OF_SESSIONS):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_whether_there_is_news_of_sessions_is_asked_without_naming_all_that_wait(plane: Plane) -> None:
    asked = {}
    for count in (1, 4):
        waiting = [asyncio.create_task(agent.poll(hold=20)) for agent in await several(plane, count)]
        while plane.dispatcher.polls < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        with statements() as heard:
            plane.app.state.plane.hub.wake(notifications.AGENTS)
            await both_asked(heard)
        asked[count] = {one for one in heard if one.startswith(_OF_SESSIONS)}
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert asked[4] == asked[1]


@dataclass
class HeldBack(Clock):
    """A clock that keeps whoever asks it in a thread waiting, which is who looks for work, once it is told to."""

    asked: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.go_on.set()

    def __call__(self) -> datetime:
        if threading.current_thread() is not threading.main_thread():
            self.asked.set()
            assert self.go_on.wait(10)
        return super().__call__()


async def test_a_poll_whose_time_is_up_while_work_is_given_out_is_given_it(
    settings: Settings, secret: str
) -> None:
    clock = HeldBack()
    async with running(settings, clock, secret) as plane:
        agent = await plane.agent().opens()
        await agent.poll()  # so that what it says next is nothing new
        poll = asyncio.create_task(agent.poll(hold=0.5))
        while not plane.dispatcher.polls:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        clock.go_on.clear()
        clock.asked.clear()
        attempt = queued(Clock())
        assert await asyncio.to_thread(clock.asked.wait, 5)
        late, _ = await asyncio.wait({poll}, timeout=0.8)
        clock.go_on.set()
        assert not late  # it did not leave before the look it is part of came to its end

        (offer,) = (await poll).json()["offers"]
        assert (offer["attempt_id"], offer["epoch"]) == (str(attempt), 1)
        assert (await agent.poll(free=3, holding=[ref(offer)])).json()["offers"] == []


async def test_a_poll_does_not_wait_for_a_look_that_takes_too_long(settings: Settings, secret: str) -> None:
    clock = HeldBack()
    async with running(settings, clock, secret) as plane:
        agent = await plane.agent().opens()
        await agent.poll()
        poll = asyncio.create_task(agent.poll(hold=0.5))
        while not plane.dispatcher.polls:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        clock.go_on.clear()
        attempt = queued(Clock())
        try:
            assert (await poll).json()["offers"] == []
        finally:
            clock.go_on.set()
        (offer,) = await agent.offers(hold=5)
        assert offer["attempt_id"] == str(attempt)
