"""Poll, start, finish, hand back: once, twice, too late, by the wrong one, and when the answer is lost."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tradewind_protocol import paths
from tradewind_protocol.attempts import (
    AttemptRef,
    CanaryMarks,
    Ended,
    Endings,
    EndingsTaken,
    Granted,
    Outcome,
    WorkKind,
)
from tradewind_protocol.errors import Code
from tradewind_protocol.polling import Verb
from tradewind_protocol.states import OutcomeKind

from .planes import AgentUnderTest, PlaneUnderTest
from .test_sessions import refused

NOBODYS = UUID("00000000-0000-4000-8000-000000000001")
"""An attempt there is not. The same in every process that collects these tests, as what names a test has to be."""


@pytest.fixture
async def agent(plane: PlaneUnderTest) -> AgentUnderTest:
    return await (await plane.agent()).opens()


async def test_work_goes_from_queue_to_outcome(plane: PlaneUnderTest, agent: AgentUnderTest) -> None:
    attempt = plane.queue()
    offer = await agent.offer()
    assert (offer.attempt_id, offer.epoch, offer.queue) == (attempt, 1, "default")
    assert plane.state(attempt) == "offered"
    granted = Granted.model_validate_json((await agent.starts(offer)).content)
    assert granted == Granted(attempt_id=attempt, epoch=1)
    assert plane.state(attempt) == "running"
    assert (await agent.finishes(offer, OutcomeKind.FAILED)).status_code == 204
    assert (plane.state(attempt), plane.outcome(attempt)) == ("finished", "failed")


async def test_a_held_poll_is_answered_when_work_comes(plane: PlaneUnderTest, agent: AgentUnderTest) -> None:
    poll = asyncio.create_task(agent.polls(hold=20))
    await asyncio.sleep(0.2)
    assert not poll.done()
    attempt = await asyncio.to_thread(plane.queue) if hasattr(plane, "settings") else plane.queue()
    answer = await asyncio.wait_for(poll, 10)
    assert [offer.attempt_id for offer in answer.offers] == [attempt]


async def test_an_offer_whose_answer_was_lost_is_made_again_under_its_epoch(
    plane: PlaneUnderTest, agent: AgentUnderTest
) -> None:
    attempt = plane.queue()
    plane.network.of(paths.POLL)
    with pytest.raises(httpx.ReadError):
        await agent.polls()
    offer = await agent.offer()
    assert (offer.attempt_id, offer.epoch) == (attempt, 1)
    assert (await agent.polls(holding=(offer,))).offers == ()


@pytest.mark.parametrize("verb", ["start", "finish", "hand-back"])
async def test_a_verb_whose_answer_was_lost_is_sent_again_and_answered_the_same(
    plane: PlaneUnderTest, agent: AgentUnderTest, verb: str
) -> None:
    attempt = plane.queue()
    offer = await agent.offer()
    if verb == "finish":
        await agent.starts(offer)
    ask = {"start": agent.starts, "finish": agent.finishes, "hand-back": agent.hands_back}[verb]
    plane.network.of("/" + verb)
    with pytest.raises(httpx.ReadError):
        await ask(offer)
    after = plane.state(attempt)
    first = await ask(offer)
    second = await ask(offer)
    assert first.is_success
    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert (
        plane.state(attempt)
        == after
        == {"start": "running", "finish": "finished", "hand-back": "queued"}[verb]
    )


async def test_the_first_outcome_counts(plane: PlaneUnderTest, agent: AgentUnderTest) -> None:
    attempt = plane.queue()
    offer = await agent.offer()
    await agent.starts(offer)
    await agent.finishes(offer, OutcomeKind.FAILED)
    assert (await agent.finishes(offer, OutcomeKind.SUCCEEDED)).status_code == 204
    assert plane.outcome(attempt) == "failed"


async def test_what_has_ended_is_not_granted_again(plane: PlaneUnderTest, agent: AgentUnderTest) -> None:
    plane.queue()
    offer = await agent.offer()
    await agent.starts(offer)
    await agent.finishes(offer)
    assert await refused(agent.starts(offer)) is Code.LEASE_LOST


async def test_a_later_offer_has_a_later_epoch_and_the_former_is_worth_nothing(
    plane: PlaneUnderTest, agent: AgentUnderTest
) -> None:
    other = await (await plane.agent()).opens()
    attempt = plane.queue()
    former = await agent.offer()
    plane.time_is_up(attempt)
    assert plane.state(attempt) == "queued"
    assert await refused(agent.starts(former)) is Code.ATTEMPT_NOT_YOURS

    later = await other.offer()

    assert (later.attempt_id, later.epoch) == (attempt, 2)
    assert await refused(agent.starts(former)) is Code.LEASE_LOST
    assert await refused(agent.finishes(former)) is Code.LEASE_LOST
    assert (await agent.hands_back(former)).status_code == 204  # free already, as far as it is concerned
    assert [ref.attempt_id for ref in (await agent.polls(free=0, holding=(former,))).unknown] == [attempt]
    assert plane.state(attempt) == "offered"
    await other.starts(later)
    assert (await agent.hands_back(former)).status_code == 204
    assert plane.state(attempt) == "running"


async def test_an_attempt_of_another_agent_is_refused(plane: PlaneUnderTest, agent: AgentUnderTest) -> None:
    other = await (await plane.agent()).opens()
    plane.queue()
    offer = await agent.offer()
    assert await refused(other.starts(offer)) is Code.ATTEMPT_NOT_YOURS
    await agent.starts(offer)
    assert await refused(other.finishes(offer)) is Code.ATTEMPT_NOT_YOURS
    assert (await other.hands_back(offer)).status_code == 204
    assert (await other.polls(free=0, running=(offer,))).unknown == (
        AttemptRef(attempt_id=offer.attempt_id, epoch=1),
    )
    assert plane.state(offer.attempt_id) == "running"


async def test_an_attempt_nobody_knows_is_refused(agent: AgentUnderTest) -> None:
    nobody = AttemptRef(attempt_id=uuid4(), epoch=1)
    for ask in (agent.starts, agent.finishes, agent.hands_back):
        assert await refused(ask(nobody)) is Code.ATTEMPT_UNKNOWN
    assert (await agent.polls(running=(nobody,))).unknown == (nobody,)


async def test_what_was_never_started_has_no_outcome_and_what_was_granted_cannot_be_handed_back(
    plane: PlaneUnderTest, agent: AgentUnderTest
) -> None:
    attempt = plane.queue()
    offer = await agent.offer()
    assert await refused(agent.finishes(offer)) is Code.CONFLICT
    await agent.starts(offer)
    assert await refused(agent.hands_back(offer)) is Code.CONFLICT
    assert plane.state(attempt) == "running"


async def test_an_offer_handed_back_is_another_agents_at_once(
    plane: PlaneUnderTest, agent: AgentUnderTest
) -> None:
    other = await (await plane.agent()).opens()
    attempt = plane.queue()
    offer = await agent.offer()
    await agent.hands_back(offer)
    again = await other.offer()
    assert (again.attempt_id, again.epoch) == (attempt, 2)


async def test_work_the_scheduler_took_back_is_not_granted(
    plane: PlaneUnderTest, agent: AgentUnderTest
) -> None:
    attempt = plane.queue()
    offer = await agent.offer()
    plane.take_back(attempt)
    assert plane.state(attempt) == "revoked"
    assert await refused(agent.starts(offer)) is Code.LEASE_LOST
    assert (await agent.polls(holding=(offer,))).unknown == (AttemptRef(attempt_id=attempt, epoch=1),)
    assert (await agent.hands_back(offer)).status_code == 204
    assert (await agent.finishes(offer)).status_code == 204
    assert plane.state(attempt) == "revoked"


async def test_nobody_gets_more_than_there_is_room_for(plane: PlaneUnderTest, agent: AgentUnderTest) -> None:
    for _ in range(3):
        plane.queue()
    offers = (await agent.polls(free=2)).offers
    assert len(offers) == 2
    assert (await agent.polls(free=0, holding=offers)).offers == ()


async def test_work_goes_only_to_queues_the_session_serves(
    plane: PlaneUnderTest, agent: AgentUnderTest
) -> None:
    plane.queue("payroll")
    agent.queues = ("payroll", "default")  # a poll may say what it likes
    assert (await agent.polls()).offers == ()


async def test_a_canary_is_offered_to_an_environment_that_says_that_it_runs_it(plane: PlaneUnderTest) -> None:
    older = await (await plane.agent(slots=9)).opens()
    agent = await (await plane.agent(canary=True)).opens()
    attempt = await plane.canary()
    assert (await older.polls()).offers == ()
    offer = await agent.offer()
    assert (offer.attempt_id, offer.kind, offer.queue) == (attempt, WorkKind.CANARY, "default")
    await agent.starts(offer)
    marks = CanaryMarks(start=0.1, log=0.01)
    assert (await agent.finishes(offer, canary=marks)).status_code == 204
    assert (plane.state(attempt), plane.outcome(attempt)) == ("finished", "succeeded")
    assert (await agent.finishes(offer, canary=marks)).status_code == 204


async def test_a_command_is_sent_until_it_is_carried_out(
    plane: PlaneUnderTest, agent: AgentUnderTest
) -> None:
    command = plane.ask_for(agent.session_id, Verb.CORDON)
    for _ in range(2):
        (said,) = (await agent.polls()).commands
        assert (said.id, said.verb) == (command, Verb.CORDON)
    assert (await agent.polls(carried_out=(command,))).commands == ()
    assert (await agent.polls(carried_out=(command, uuid4()))).commands == ()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (paths.POLL, {"room": "none"}),
        (paths.POLL, "not json"),
        (paths.POLL, {"room": [{"environment": "main", "queues": ["a b"], "free": 1}]}),
        (paths.POLL, {"room": [{"environment": "main", "queues": [], "free": -1}]}),
        (paths.start(NOBODYS), {"epoch": "first"}),
        (paths.start(NOBODYS), {}),
        (paths.finish(NOBODYS), {"epoch": 1, "kind": "so-so"}),
        (paths.finish(NOBODYS), {"epoch": 1, "kind": "failed", "reason": "x" * 4001}),
        (paths.hand_back(NOBODYS), {"epoch": 0}),
        ("/attempts/first/start", {"epoch": 1}),
    ],
)
async def test_what_is_not_of_the_protocol_is_malformed(
    plane: PlaneUnderTest, agent: AgentUnderTest, path: str, body: Any
) -> None:
    if path.startswith("/attempts/") and "first" not in path:
        plane.queue()
        offer = await agent.offer()
        path = f"/attempts/{offer.attempt_id}/{path.rpartition('/')[2]}"
    assert await refused(agent.send("POST", path, body)) is Code.MALFORMED


async def test_a_body_that_does_not_say_that_it_is_json_is_malformed(
    plane: PlaneUnderTest, agent: AgentUnderTest
) -> None:
    plane.queue()
    offer = await agent.offer()
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        ask = agent.send("POST", paths.start(offer.attempt_id), {"epoch": 1}, headers={"content-type": kind})
        assert await refused(ask) is Code.MALFORMED


async def test_a_path_nobody_knows_is_refused_like_everything_else(agent: AgentUnderTest) -> None:
    assert await refused(agent.send("POST", "/nowhere", {})) is Code.NOT_FOUND
    assert await refused(agent.send("POST", f"/attempts/{uuid4()}/pause", {})) is Code.NOT_FOUND


async def test_outcomes_of_several_attempts_are_taken_or_refused_each_for_itself(
    plane: PlaneUnderTest, agent: AgentUnderTest
) -> None:
    here = [plane.queue() for _ in range(3)]
    offers = {offer.attempt_id: offer for offer in (await agent.polls()).offers}
    assert set(offers) == set(here)
    for attempt in here[:2]:  # the third one was never started
        await agent.starts(offers[attempt])
    endings = [
        Ended(attempt_id=attempt, outcome=Outcome(epoch=1, kind=OutcomeKind.SUCCEEDED))
        for attempt in (*here, NOBODYS)
    ]
    for _ in range(2):  # an answer may be lost
        answer = await agent.send("POST", paths.FINISH, Endings(endings=tuple(endings)))
        taken = EndingsTaken.model_validate_json(answer.content)
        assert {one.attempt_id: one.refusal.error for one in taken.refused} == {
            here[2]: Code.CONFLICT,
            NOBODYS: Code.ATTEMPT_UNKNOWN,
        }
    assert [plane.state(attempt) for attempt in here] == ["finished", "finished", "offered"]
