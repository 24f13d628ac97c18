"""Queued work, from poll to outcome, as agents see it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from tradewind_protocol.attempts import Offer
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import assignment, reaper
from tradewind_provider.settings import Settings

from .scenes import Clock, Plane, queued, ref, row, running


async def test_work_queued_while_an_agent_polls_is_offered_at_once(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    poll = asyncio.create_task(agent.offers(hold=20))
    await asyncio.sleep(0.2)
    assert not poll.done()

    attempt = await asyncio.to_thread(queued, clock)

    offers = await asyncio.wait_for(poll, 3)
    assert [offer["attempt_id"] for offer in offers] == [str(attempt)]
    assert offers[0]["epoch"] == 1
    assert offers[0]["confirm_within"] == 10.0


async def test_an_offer_is_granted_and_its_outcome_is_kept(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()

    assert (await agent.start(offer)).json() == {"attempt_id": str(attempt), "epoch": 1}
    assert row(attempt).state == "running"
    answer = await agent.finish(offer, "failed", exit_code=137, signal="SIGKILL", reason="out of memory")

    assert answer.status_code == 204
    ended = row(attempt)
    assert (ended.state, ended.outcome, ended.exit_code, ended.signal) == (
        "finished",
        "failed",
        137,
        "SIGKILL",
    )
    assert ended.reason == "out of memory"
    assert ended.payload == ""


async def test_the_workload_is_encrypted_in_the_table(clock: Clock, plane: Plane) -> None:
    attempt = queued(clock)
    assert "ExecuteCallback" not in row(attempt).payload
    agent = await plane.agent().opens()
    (offer,) = await agent.offers()
    assert offer["workload"] == {"type": "ExecuteCallback", "token": ""}


async def test_two_agents_never_get_the_same_work(plane: Plane, clock: Clock) -> None:
    agents = [await plane.agent(f"eu-{n}", slots=5).opens() for n in range(4)]
    work = {str(queued(clock)) for _ in range(12)}

    answers = await asyncio.gather(*(agent.offers() for agent in agents))

    got = [offer["attempt_id"] for offers in answers for offer in offers]
    assert len(got) == len(set(got)) == 12
    assert set(got) == work


async def test_two_api_servers_never_give_out_the_same_work(
    settings: Settings, clock: Clock, secret: str
) -> None:
    async with running(settings, clock, secret) as one, running(settings, clock, secret) as two:
        agents = [await plane.agent(slots=8).opens() for plane in (one, two, one, two)]
        for _ in range(16):
            queued(clock)
        answers = await asyncio.gather(*(agent.offers() for agent in agents))
        got = [offer["attempt_id"] for offers in answers for offer in offers]
        got += [offer["attempt_id"] for agent in agents for offer in await agent.offers(free=0, holding=[])]
    # an offer whose answer was not named as held is repeated to the same agent, so every one is there, twice
    assert len(set(got)) == 16


async def test_an_agent_gets_no_more_than_it_has_room_for(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    for _ in range(5):
        queued(clock)
    held = await agent.offers(free=2)
    assert len(held) == 2
    assert await agent.offers(free=0, holding=[ref(one) for one in held]) == []


async def test_higher_priority_comes_first_and_then_age(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    old, young = queued(clock), None
    clock.forward(1)
    young = queued(clock)
    clock.forward(1)
    urgent = queued(clock, priority=9)

    offers = await agent.offers(free=2)

    assert [offer["attempt_id"] for offer in offers] == [str(urgent), str(old)]
    assert row(young).state == "queued"


async def test_work_goes_only_where_its_queue_is_served(plane: Plane, clock: Clock) -> None:
    gpu = await plane.agent("gpu-1", queues=("gpu",)).opens()
    queued(clock, queue="default")
    wanted = queued(clock, queue="gpu")
    offers = await gpu.offers()
    assert [offer["attempt_id"] for offer in offers] == [str(wanted)]


async def test_an_agent_cannot_claim_from_a_queue_it_did_not_open_its_session_with(
    plane: Plane, clock: Clock
) -> None:
    agent = await plane.agent().opens()
    queued(clock, queue="payroll")
    room = [{"environment": "main", "queues": ["payroll", "default"], "free": 5}]
    assert await agent.offers(room=room) == []


async def test_an_offer_not_confirmed_in_time_goes_elsewhere_and_the_first_agent_is_told(
    plane: Plane, clock: Clock
) -> None:
    slow, quick = await plane.agent("slow").opens(), await plane.agent("quick").opens()
    attempt = queued(clock)
    (offer,) = await slow.offers()
    clock.forward(11)
    with create_session() as db:
        assert reaper.expire_offers(db, now=clock()) == 1

    (again,) = await quick.offers()
    assert again["attempt_id"] == str(attempt)
    assert again["epoch"] == 2

    refused = await slow.start(offer)
    assert (refused.status_code, refused.json()["error"]) == (409, "lease_lost")
    assert (await slow.poll(holding=[ref(offer)])).json()["unknown"] == [ref(offer)]
    assert (await quick.start(again)).status_code == 200


async def test_an_offer_on_its_last_second_can_still_be_confirmed(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    queued(clock)
    (offer,) = await agent.offers()
    clock.forward(60)  # nobody has swept
    assert (await agent.start(offer)).status_code == 200


async def test_work_handed_back_goes_to_another_agent_first(plane: Plane, clock: Clock) -> None:
    broken, fine = await plane.agent("broken").opens(), await plane.agent("fine").opens()
    attempt = queued(clock)
    (offer,) = await broken.offers()

    assert (await broken.hand_back(offer)).status_code == 204
    assert await broken.offers() == []
    (again,) = await fine.offers()

    assert again["attempt_id"] == str(attempt)


async def test_work_handed_back_returns_to_the_only_agent_after_a_while(plane: Plane, clock: Clock) -> None:
    only = await plane.agent().opens()
    queued(clock)
    (offer,) = await only.offers()
    await only.hand_back(offer)
    assert await only.offers() == []
    clock.forward(11)
    assert len(await only.offers()) == 1


async def test_granted_work_cannot_be_handed_back(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    refused = await agent.hand_back(offer)
    assert (refused.status_code, refused.json()["error"]) == (409, "conflict")


async def test_an_attempt_that_was_never_started_cannot_finish(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    queued(clock)
    (offer,) = await agent.offers()
    assert (await agent.finish(offer)).status_code == 409


async def test_nobody_moves_an_attempt_of_another_agent(plane: Plane, clock: Clock) -> None:
    mine, yours = await plane.agent("mine").opens(), await plane.agent("yours").opens()
    attempt = queued(clock)
    (offer,) = await mine.offers()
    for answer in (await yours.start(offer), await yours.finish(offer)):
        assert (answer.status_code, answer.json()["error"]) == (403, "attempt_not_yours")
    assert (await yours.hand_back(offer)).status_code == 204  # nothing to do for them
    assert row(attempt).state == "offered"
    unknown = await yours.start({"attempt_id": str(uuid4()), "epoch": 1})
    assert (unknown.status_code, unknown.json()["error"]) == (404, "attempt_unknown")


async def test_an_agent_that_hangs_up_while_polling_is_given_nothing(plane: Plane, clock: Clock) -> None:
    leaves, stays = await plane.agent("leaves").opens(), await plane.agent("stays").opens()
    poll = asyncio.create_task(leaves.offers(hold=20))
    await asyncio.sleep(0.2)
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)

    attempt = await asyncio.to_thread(queued, clock)
    (offer,) = await stays.offers()

    assert offer["attempt_id"] == str(attempt)
    assert offer["epoch"] == 1  # it was never offered to the one that left


async def test_an_offer_told_once_more_is_not_taken_back_for_the_poll_that_missed_it(
    settings: Settings, plane: Plane, clock: Clock
) -> None:
    agent = await plane.agent().opens()
    queued(clock)
    (offer,) = await agent.offers()  # the answer comes too late: the agent has given that poll up
    first = row(UUID(offer["attempt_id"])).offered_until
    assert first is not None
    (again,) = await agent.offers()

    with create_session() as db:
        assignment.release(db, {UUID(agent.session_id): [Offer.model_validate(offer)]}, until=first)

    assert again["epoch"] == offer["epoch"]
    assert (await agent.start(again)).status_code == 200


async def test_an_offer_nobody_was_there_to_hear_goes_elsewhere_at_once(plane: Plane, clock: Clock) -> None:
    gone, stays = await plane.agent("gone").opens(), await plane.agent("stays").opens()
    attempt = queued(clock)
    (offer,) = await gone.offers()
    poll = asyncio.create_task(stays.offers(hold=20))
    await asyncio.sleep(0.1)

    def release() -> None:
        until = row(attempt).offered_until
        assert until is not None
        with create_session() as db:
            assignment.release(db, {UUID(gone.session_id): [Offer.model_validate(offer)]}, until=until)

    await asyncio.to_thread(release)
    assert [each["epoch"] for each in await asyncio.wait_for(poll, 3)] == [2]


async def test_a_poll_without_news_is_answered_when_it_asked_to_be(plane: Plane) -> None:
    agent = await plane.agent().opens()
    started = asyncio.get_running_loop().time()
    answer = await agent.poll(hold=0.3)
    waited = asyncio.get_running_loop().time() - started
    assert answer.json()["offers"] == []
    assert 0.25 < waited < 2


async def test_a_newer_poll_of_the_same_session_answers_the_older_one(plane: Plane) -> None:
    agent = await plane.agent().opens()
    older = asyncio.create_task(agent.poll(hold=20))
    await asyncio.sleep(0.2)
    newer = asyncio.create_task(agent.poll(hold=0.5))
    assert (await asyncio.wait_for(older, 2)).status_code == 200
    assert (await newer).status_code == 200


async def test_the_depth_of_its_queues_is_in_every_answer(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    for _ in range(3):
        queued(clock)
    clock.forward(7)
    answer = await agent.poll(free=1)
    assert answer.json()["queues"] == [{"queue": "default", "depth": 3, "oldest_wait": 7.0}]


async def test_work_that_cannot_be_decrypted_fails_with_a_reason(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    attempt = queued(clock)
    with create_session() as db:
        db.merge(row(attempt)).payload = "gAAAAABnonsense"
    assert await agent.offers() == []
    ended = row(attempt)
    assert (ended.state, ended.outcome) == ("finished", "failed")
    assert "fernet_key" in ended.reason


@pytest.mark.parametrize("verb", ["start", "finish", "hand-back", "poll", "sessions"])
async def test_a_lost_answer_changes_nothing(verb: str, plane: Plane, clock: Clock) -> None:
    agent = plane.agent()
    attempt = queued(clock)
    plane.transport.of(f"/{verb}")

    await agent.opens()
    offers = await agent.offers()
    assert [offer["attempt_id"] for offer in offers] == [str(attempt)]
    if verb == "hand-back":
        assert (await agent.hand_back(offers[0])).status_code == 204
        assert (row(attempt).state, row(attempt).epoch) == ("queued", 1)
        return
    assert (await agent.start(offers[0])).status_code == 200
    assert (await agent.finish(offers[0], "failed", reason="first")).status_code == 204
    assert (await agent.finish(offers[0], "succeeded", reason="second")).status_code == 204

    assert (row(attempt).epoch, row(attempt).outcome, row(attempt).reason) == (1, "failed", "first")


async def test_an_answer_carries_no_more_than_the_plane_allows(
    settings: Settings, clock: Clock, secret: str
) -> None:
    async with running(replace(settings, offers_per_answer=3), clock, secret) as plane:
        agent = await plane.agent(slots=10).opens()
        for _ in range(5):
            queued(clock)
        assert len(await agent.offers()) == 3
