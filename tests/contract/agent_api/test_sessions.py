"""Opening, renewing and ending a session; who is refused, and as what."""

from __future__ import annotations

from uuid import UUID

import pytest

from tradewind_protocol import errors, ids, paths, sites, versions
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.polling import Poll
from tradewind_protocol.states import OutcomeKind

from .planes import CADENCE, PlaneUnderTest

NOBODYS = UUID("00000000-0000-4000-8000-000000000001")
"""An attempt there is not. The same in every process that collects these tests, as what names a test has to be."""

SOMEBODY_ELSES = "x" * 43
"""The body of a credential of the right form that nobody was given."""


async def refused(awaitable: object) -> Code:
    with pytest.raises(Refused) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.code


async def test_a_session_comes_with_a_token_and_the_planes_cadence(plane: PlaneUnderTest) -> None:
    agent = await (await plane.agent()).opens()
    assert agent.session is not None
    assert ids.has_form_of(agent.token, ids.SESSION_TOKEN_PREFIX)
    assert agent.session.cadence == CADENCE
    assert agent.session.policy.value == "strict"


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("-", Code.TOKEN_MISSING),
        ("Basic dXNlcjpwYXNz", Code.TOKEN_MALFORMED),
        ("Bearer", Code.TOKEN_MALFORMED),
        ("Bearer tw_agent_cut", Code.TOKEN_MALFORMED),
        (f"Bearer {ids.SESSION_TOKEN_PREFIX}{SOMEBODY_ELSES}", Code.TOKEN_MALFORMED),
    ],
)
async def test_what_is_no_agent_token_buys_nothing(
    plane: PlaneUnderTest, authorization: str, code: Code
) -> None:
    agent = await plane.agent()
    ask = agent.send("POST", paths.SESSIONS, agent.introduction(), headers={"authorization": authorization})
    assert await refused(ask) is code


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("unknown", Code.TOKEN_UNKNOWN),
        ("deleted", Code.TOKEN_DELETED),
        ("expired", Code.TOKEN_EXPIRED),
        ("elsewhere", Code.WRONG_DEPLOYMENT),
    ],
)
async def test_a_token_that_is_not_good_is_refused_as_what_it_is(
    plane: PlaneUnderTest, what: str, code: Code
) -> None:
    agent = await plane.agent()
    agent.secret = plane.token(what)
    assert await refused(agent.opens()) is code
    assert code in errors.FATAL_FOR_AGENT


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("-", Code.TOKEN_MISSING),
        ("Bearer nonsense", Code.TOKEN_MALFORMED),
        (f"Bearer {ids.AGENT_TOKEN_PREFIX}{SOMEBODY_ELSES}", Code.TOKEN_MALFORMED),
        (f"Bearer {ids.SESSION_TOKEN_PREFIX}{SOMEBODY_ELSES}", Code.SESSION_UNKNOWN),
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", paths.POLL, {"hold": 0}),
        ("POST", paths.start(NOBODYS), {"epoch": 1}),
        ("POST", paths.finish(NOBODYS), {"epoch": 1, "kind": "failed"}),
        ("POST", paths.hand_back(NOBODYS), {"epoch": 1}),
        ("DELETE", paths.SESSIONS, None),
    ],
)
async def test_every_verb_wants_a_session(
    plane: PlaneUnderTest,
    method: str,
    path: str,
    body: dict[str, object] | None,
    authorization: str,
    code: Code,
) -> None:
    agent = await plane.agent()
    assert await refused(agent.send(method, path, body, headers={"authorization": authorization})) is code


async def test_a_lost_answer_to_an_opening_costs_nothing(plane: PlaneUnderTest) -> None:
    agent = await (await plane.agent()).opens()
    attempt = plane.queue()
    offer = await agent.offer()
    await agent.starts(offer)
    session, former = agent.session_id, agent.token

    await agent.opens()

    assert agent.session_id == session
    assert plane.state(attempt) == "running"
    await agent.finishes(offer)
    agent.token = former  # another request may have been on its way with it
    assert (await agent.polls()).unknown == ()


async def test_another_process_of_the_same_agent_takes_over_at_once(plane: PlaneUnderTest) -> None:
    before = await (await plane.agent()).opens()
    first, second, third = plane.queue(), plane.queue(), plane.queue()
    offers = {offer.attempt_id: offer for offer in (await before.polls()).offers}
    await before.starts(offers[first])
    await before.starts(offers[second])

    after = await plane.agent(agent_id=before.agent_id)
    await after.opens(unreported=(offers[second],))

    assert await refused(before.polls()) is Code.SESSION_FENCED
    assert await refused(before.starts(offers[third])) is Code.SESSION_FENCED
    assert await refused(before.finishes(offers[first])) is Code.SESSION_FENCED
    assert (plane.state(first), plane.outcome(first)) == ("finished", "lost")
    assert [offer.attempt_id for offer in (await after.polls(running=(offers[second],))).offers] == [third]
    await after.finishes(offers[second], OutcomeKind.FAILED)
    assert plane.outcome(second) == "failed"


@pytest.mark.parametrize("key", ["", "a guess"])
@pytest.mark.parametrize("living", [True, False])
async def test_nobody_is_an_agent_by_saying_its_id(plane: PlaneUnderTest, key: str, living: bool) -> None:
    owner = await (await plane.agent()).opens(agent_key="made on the agent")
    attempt = plane.queue()
    offer = await owner.offer()
    await owner.starts(offer)
    if not living:
        plane.give_up(owner.session_id)
    other = await plane.agent(agent_id=owner.agent_id)
    assert await refused(other.opens(agent_key=key, unreported=(offer,))) is Code.SESSION_FENCED
    if living:
        await owner.finishes(offer)
        assert plane.outcome(attempt) == "succeeded"
    again = await plane.agent(agent_id=owner.agent_id)
    await again.opens(agent_key="made on the agent")


@pytest.mark.parametrize("living", [True, False])
async def test_an_agents_id_and_key_are_worth_nothing_with_a_token_of_another_site(
    plane: PlaneUnderTest, living: bool
) -> None:
    owner = await (await plane.agent()).opens(agent_key="made on the agent")
    plane.queue()
    offer = await owner.offer()
    await owner.starts(offer)
    if not living:
        plane.give_up(owner.session_id)
    other = await plane.agent(agent_id=owner.agent_id)
    other.secret = plane.token_of("elsewhere")
    asked = other.opens(agent_key="made on the agent", unreported=(offer,))
    assert await refused(asked) is Code.WRONG_SITE
    assert Code.WRONG_SITE in errors.FATAL_FOR_AGENT
    if living:
        await owner.finishes(offer)
    stranger = await plane.agent()
    stranger.secret = other.secret
    for agent, site in ((await stranger.opens(), "elsewhere"), (owner, sites.DEFAULT)):
        assert agent.session is not None
        assert agent.session.site == site


async def test_an_agent_that_had_no_key_is_bound_to_its_first_one(plane: PlaneUnderTest) -> None:
    old = await (await plane.agent()).opens()
    upgraded = await plane.agent(agent_id=old.agent_id)
    await upgraded.opens(agent_key="the first")
    for key in ("", "another"):
        other = await plane.agent(agent_id=old.agent_id)
        assert await refused(other.opens(agent_key=key)) is Code.SESSION_FENCED


async def test_nobody_takes_anothers_attempts_by_naming_them_unreported(plane: PlaneUnderTest) -> None:
    one, other = await (await plane.agent()).opens(), await plane.agent()
    plane.queue()
    offer = await one.offer()
    await one.starts(offer)
    await other.opens(unreported=(offer,))
    assert await refused(other.finishes(offer)) is Code.ATTEMPT_NOT_YOURS


async def test_a_goodbye_frees_what_was_offered_and_ends_what_ran(plane: PlaneUnderTest) -> None:
    agent, other = await (await plane.agent()).opens(), await (await plane.agent()).opens()
    ran, offered = plane.queue(), plane.queue()
    offers = {offer.attempt_id: offer for offer in (await agent.polls()).offers}
    await agent.starts(offers[ran])

    await agent.leaves()

    assert (plane.state(ran), plane.outcome(ran)) == ("finished", "lost")
    assert (await other.offer()).attempt_id == offered
    assert await refused(agent.polls()) is Code.SESSION_EXPIRED
    assert await refused(agent.leaves()) is Code.SESSION_EXPIRED


async def test_an_agent_that_was_given_up_opens_another_session_and_is_told_what_is_not_its_own(
    plane: PlaneUnderTest,
) -> None:
    agent = await (await plane.agent()).opens()
    attempt = plane.queue()
    offer = await agent.offer()
    await agent.starts(offer)
    former = agent.session_id

    plane.give_up(former)

    assert plane.outcome(attempt) == "lost"
    assert await refused(agent.polls()) is Code.SESSION_EXPIRED
    assert Code.SESSION_EXPIRED in errors.REOPEN_SESSION
    await agent.opens()
    assert agent.session_id != former
    assert [ref.attempt_id for ref in (await agent.polls(running=(offer,))).unknown] == [attempt]
    assert (await agent.finishes(offer)).status_code == 204  # so that its outbox is emptied
    assert plane.outcome(attempt) == "lost"


@pytest.mark.parametrize("minor", [-1, 1])
async def test_a_minor_apart_works_together(plane: PlaneUnderTest, minor: int) -> None:
    theirs = versions.Version(versions.PROTOCOL.major, max(0, versions.PROTOCOL.minor + minor))
    agent = await plane.agent()
    response = await agent.send(
        "POST",
        paths.SESSIONS,
        {**agent.introduction().model_dump(mode="json"), "a_field_of_the_future": {"deep": [1]}},
        headers={"authorization": f"Bearer {agent.secret}", versions.HEADER: str(theirs)},
    )
    agent.token = response.json()["session_token"]
    await agent.send("POST", paths.POLL, {"hold": 0, "future": 1}, headers={versions.HEADER: str(theirs)})


@pytest.mark.parametrize("path", [paths.SESSIONS, paths.POLL])
async def test_further_apart_both_versions_are_named(plane: PlaneUnderTest, path: str) -> None:
    agent = await (await plane.agent()).opens()
    ahead = versions.Version(versions.PROTOCOL.major, versions.PROTOCOL.minor + versions.SKEW + 1)
    body = agent.introduction() if path == paths.SESSIONS else Poll(hold=0)
    bearer = agent.secret if path == paths.SESSIONS else agent.token
    with pytest.raises(Refused) as caught:
        await agent.send(
            "POST", path, body, headers={"authorization": f"Bearer {bearer}", versions.HEADER: str(ahead)}
        )
    assert caught.value.code is Code.VERSION_SKEW
    assert str(ahead) in caught.value.refusal.message
    assert str(versions.PROTOCOL) in caught.value.refusal.message


async def test_another_major_is_refused(plane: PlaneUnderTest) -> None:
    agent = await (await plane.agent()).opens()
    other = str(versions.Version(versions.PROTOCOL.major + 1, 0))
    assert (
        await refused(agent.send("POST", paths.POLL, {}, headers={versions.HEADER: other}))
        is Code.VERSION_SKEW
    )


async def test_a_version_that_is_none_is_malformed(plane: PlaneUnderTest) -> None:
    agent = await (await plane.agent()).opens()
    ask = agent.send("POST", paths.POLL, {"hold": 0}, headers={versions.HEADER: "latest"})
    assert await refused(ask) is Code.MALFORMED
