"""Who may speak: agent tokens, sessions, fencing, renewal, versions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.operator import SetSlots
from tradewind_protocol.polling import Verb
from tradewind_protocol.sessions import Policy
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import tokens
from tradewind_provider.services.operator import agents as operator_agents
from tradewind_provider.settings import Policies, SessionLimits, Settings
from tradewind_provider.store.tables import AgentCommand, AgentSession, AgentToken, Event

from .scenes import Agent, Clock, Plane, queued, ref, row, running, sessions_of


def error_of(answer: object) -> str:
    return str(answer.json()["error"])  # type: ignore[attr-defined]


async def test_a_session_says_everything_an_agent_needs(plane: Plane) -> None:
    answer = (await plane.agent().open()).json()
    assert answer["session_token"].startswith("tw_session_")
    assert answer["cadence"]["poll"] == 25.0
    assert answer["cadence"]["lost_after"] == 75.0
    assert answer["airflow_version"].startswith("3.")
    assert answer["policy"] == "strict"


async def test_a_session_says_where_people_reach_the_plane(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRFLOW__API__BASE_URL", raising=False)
    assert (await plane.agent().open()).json()["base_url"] == ""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/")
    assert (await plane.agent().open()).json()["base_url"] == "https://airflow.example.com"


async def test_a_deployment_can_be_stricter_than_a_site(
    settings: Settings, clock: Clock, secret: str
) -> None:
    async def policy_under(**policies: Any) -> str:
        allowed = replace(settings, policies=Policies(**policies))
        async with running(allowed, clock, secret) as plane:
            return str((await plane.agent().open(policy="open")).json()["policy"])

    assert await policy_under() == "strict", "opening is an administrator's decision"
    assert await policy_under(sites={"another": Policy.OPEN}) == "strict"
    assert await policy_under(sites={"default": Policy.OPEN}) == "open"
    assert await policy_under(default=Policy.OPEN) == "open"
    assert await policy_under(default=Policy.OPEN, sites={"default": Policy.STRICT}) == "strict"


async def test_a_token_opens_as_many_sessions_as_are_allowed(
    settings: Settings, clock: Clock, secret: str
) -> None:
    few = replace(settings, session_limits=SessionLimits(per_token=2))
    async with running(few, clock, secret) as plane:
        first, second = await plane.agent("one").opens(), await plane.agent("two").opens()
        refused = await plane.agent("three").open()
        assert (refused.status_code, error_of(refused)) == (409, "limit_reached")
        assert "sessions_per_token" in refused.json()["message"]
        # one that comes back takes the place it has: the same process, and another one of the same agent
        await second.opens()
        await plane.agent("two", agent_id=second.agent_id).opens()
        await first.call("DELETE", "/sessions")
        await plane.agent("three").opens()


async def test_a_site_opens_as_many_sessions_as_are_allowed_with_all_its_tokens(
    settings: Settings, clock: Clock, secret: str
) -> None:
    few = replace(settings, session_limits=SessionLimits(per_site=2))
    with create_session() as db:
        more = [
            tokens.create(
                db,
                name=f"another of {site}",
                site=site,
                expires_in_days=None,
                created_by="ada",
                now=clock(),
                limit=50,
            ).secret
            for site in ("default", "elsewhere")
        ]
    async with running(few, clock, secret) as plane:
        await plane.agent("one").opens()
        answers = {}
        for name, shown in (("two", more[0]), ("three", more[0]), ("four", secret), ("five", more[1])):
            agent = plane.agent(name)
            agent.secret = shown
            answers[name] = (await agent.open()).status_code
    assert answers == {"two": 200, "three": 409, "four": 409, "five": 200}


async def test_only_hashes_of_credentials_are_kept(plane: Plane, secret: str) -> None:
    agent = await plane.agent().opens()
    with create_session() as db:
        kept = [*db.scalars(select(AgentSession.token_hash)), *db.scalars(select(AgentToken.token_hash))]
    assert all(len(one) == 64 and one not in (agent.token, secret) for one in kept)


async def test_a_restarted_agent_fences_its_former_self_at_once(plane: Plane, clock: Clock) -> None:
    before = await plane.agent().opens()
    running_one, offered_one = queued(clock), queued(clock)
    offers = {offer["attempt_id"]: offer for offer in await before.offers()}
    await before.start(offers[str(running_one)])

    after = plane.agent(agent_id=before.agent_id)
    await after.opens()

    refused = await before.poll()
    assert (refused.status_code, error_of(refused)) == (409, "session_fenced")
    assert (row(running_one).state, row(running_one).outcome) == ("finished", "lost")
    assert "started again" in row(running_one).reason
    (offer,) = await after.offers()
    assert offer["attempt_id"] == str(offered_one)


async def test_what_ended_before_a_restart_is_not_lost_with_the_old_session(
    plane: Plane, clock: Clock
) -> None:
    before = await plane.agent().opens()
    ended, alive = queued(clock), queued(clock)
    offers = {offer["attempt_id"]: offer for offer in await before.offers()}
    for offer in offers.values():
        await before.start(offer)

    after = plane.agent(agent_id=before.agent_id)
    await after.opens(
        unreported=[
            ref(offers[str(ended)]),
            {"attempt_id": str(alive), "epoch": 7},
        ]  # of an epoch that never was
    )

    assert row(ended).state == "running"
    assert (row(alive).state, row(alive).outcome) == ("finished", "lost")
    assert (await after.finish(offers[str(ended)], "failed", exit_code=3)).status_code == 204
    assert (row(ended).state, row(ended).outcome, row(ended).exit_code) == ("finished", "failed", 3)


async def test_nobody_gets_anothers_attempts_by_naming_them(plane: Plane, clock: Clock) -> None:
    one, other = await plane.agent("one").opens(), plane.agent("other")
    attempt = queued(clock)
    (offer,) = await one.offers()
    await one.start(offer)

    await other.opens(unreported=[ref(offer)])

    assert (await other.finish(offer)).status_code == 403
    assert (await one.finish(offer)).status_code == 204
    assert row(attempt).outcome == "succeeded"


async def test_the_same_process_asking_again_gets_the_same_session(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    first, old_token = agent.session_id, agent.token

    await agent.opens()

    assert agent.session_id == first
    assert agent.token != old_token
    assert row(attempt).state == "running"
    assert len(sessions_of(agent.agent_id)) == 1
    assert (await agent.call("POST", "/poll", {"hold": 0}, bearer=old_token)).status_code == 200


async def test_a_session_token_is_renewed_in_passing_and_a_lost_renewal_harms_nobody(
    plane: Plane, clock: Clock
) -> None:
    agent = await plane.agent().opens()
    assert (await agent.poll()).json()["session_token"] is None
    clock.forward(1900)  # past half its hour

    lost = (await agent.poll()).json()["session_token"]
    fresh = (await agent.poll()).json()["session_token"]

    assert lost is not None or fresh is not None
    assert (await agent.poll()).status_code == 200  # the old one is good until its own end
    clock.forward(1750)
    expired = await agent.poll()
    assert (expired.status_code, error_of(expired)) == (401, "session_expired")
    agent.token = fresh or lost
    assert (await agent.poll()).status_code == 200


async def test_goodbye_gives_work_back_and_reports_what_ran(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    ran, waits = queued(clock), queued(clock)
    offers = {offer["attempt_id"]: offer for offer in await agent.offers()}
    await agent.start(offers[str(ran)])

    assert (await agent.goodbye()).status_code == 204

    assert row(waits).state == "queued"
    assert (row(ran).outcome, row(ran).reason) == ("lost", "agent 'eu-1' closed its session")
    over = await agent.poll()
    assert (over.status_code, error_of(over)) == (401, "session_expired")


async def test_an_outbox_of_an_ended_session_is_emptied_by_the_next_one(plane: Plane, clock: Clock) -> None:
    before = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await before.offers()
    await before.start(offer)
    after = await plane.agent(agent_id=before.agent_id).opens()

    assert (await after.finish(offer, "succeeded")).status_code == 204
    assert row(attempt).outcome == "lost"  # the first outcome counts


@pytest.mark.parametrize(
    ("bearer", "status", "code"),
    [
        ("", 401, "token_malformed"),
        ("hello", 401, "token_malformed"),
        (ids.new_secret(ids.SESSION_TOKEN_PREFIX), 401, "token_malformed"),
        (ids.new_secret(ids.AGENT_TOKEN_PREFIX), 401, "token_unknown"),
    ],
)
async def test_what_is_not_an_agent_token_opens_nothing(
    plane: Plane, bearer: str, status: int, code: str
) -> None:
    agent = plane.agent()
    agent.secret = bearer or " "
    answer = await agent.open()
    assert (answer.status_code, error_of(answer)) == (status, code)
    assert bearer not in answer.text or not bearer


async def test_a_request_without_a_token_says_so(plane: Plane) -> None:
    client = plane.agent().client
    answer = await client.post("/poll", json={})
    assert (answer.status_code, error_of(answer)) == (401, "token_missing")


async def test_an_agent_token_is_no_session_token(plane: Plane, secret: str) -> None:
    agent = await plane.agent().opens()
    agent.token = secret
    assert error_of(await agent.poll()) == "token_malformed"


async def test_a_deleted_token_ends_its_sessions(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    with create_session() as db:
        (token,) = tokens.listed(db)
        tokens.delete(db, token.id, deleted_by="ada", now=clock())
    clock.forward(2)

    for answer in (await agent.poll(), await agent.open()):
        assert (answer.status_code, error_of(answer)) == (403, "token_deleted")
    assert "was deleted by ada" in row(attempt).reason
    with create_session() as db:
        assert tokens.listed(db) == []


async def test_a_held_poll_ends_when_its_token_is_deleted(plane: Plane, clock: Clock) -> None:
    import asyncio

    agent = await plane.agent().opens()
    poll = asyncio.create_task(agent.poll(hold=20))
    await asyncio.sleep(0.2)

    def delete() -> None:
        with create_session() as db:
            tokens.delete(db, tokens.listed(db)[0].id, deleted_by="ada", now=clock())

    await asyncio.to_thread(delete)
    answer = await asyncio.wait_for(poll, 3)
    assert (answer.status_code, error_of(answer)) == (403, "token_deleted")


async def test_an_expired_token_is_told_apart(plane: Plane, clock: Clock) -> None:
    with create_session() as db:
        made = tokens.create(db, name="brief", expires_in_days=1, created_by="ada", now=clock(), limit=50)
    agent = plane.agent()
    agent.secret = made.secret
    await agent.opens()
    clock.forward(timedelta(days=1).total_seconds())
    assert error_of(await agent.open()) == "token_expired"


async def test_an_agent_of_another_major_is_told_which_side_to_upgrade(plane: Plane) -> None:
    agent = await plane.agent().opens()
    answer = await agent.client.post(
        "/poll", json={}, headers={"authorization": f"Bearer {agent.token}", "tradewind-protocol": "2.0"}
    )
    assert (answer.status_code, error_of(answer)) == (426, "version_skew")
    assert "upgrade the orchestration plane" in answer.json()["message"]
    assert answer.headers["tradewind-protocol"] == "1.0"


async def test_what_is_malformed_is_named_and_not_repeated(plane: Plane) -> None:
    agent = plane.agent()
    answer = await agent.open(name="no spaces please", components=["s3cr3t"])
    assert (answer.status_code, error_of(answer)) == (422, "malformed")
    assert "name" in answer.json()["message"] or "components" in answer.json()["message"]
    assert "s3cr3t" not in answer.text


async def test_a_cordoned_agent_is_offered_nothing_and_goes_on_with_what_it_has(
    plane: Plane, clock: Clock
) -> None:
    agent = await plane.agent().opens()
    queued(clock)
    (offer,) = await agent.offers()
    with create_session() as db:
        db.get_one(AgentSession, sessions_of(agent.agent_id)[0].id).cordoned_at = clock()
    queued(clock)
    assert (await agent.start(offer)).status_code == 200
    assert await agent.offers(running=[ref(offer)]) == []


def ask_of(agent: Agent, verb: str, clock: Clock) -> None:
    with create_session() as db:
        getattr(operator_agents, verb)(db, agent.agent_id, actor="olga", reason="bad disk", now=clock())


async def verbs_of(agent: Agent) -> list[str]:
    return [each["verb"] for each in (await agent.poll()).json()["commands"]]


@pytest.mark.parametrize("end", ["killed", "goodbye", "new state directory"])
async def test_a_cordon_outlives_the_agents_process(plane: Plane, clock: Clock, end: str) -> None:
    before = await plane.agent().opens()
    ask_of(before, "cordon", clock)
    if end != "killed":
        await before.goodbye()
    clock.forward(5)
    same = {} if end == "new state directory" else {"agent_id": before.agent_id}
    after = await plane.agent(**same).opens()
    queued(clock)
    assert await verbs_of(after) == ["cordon"]
    assert await after.offers() == []
    (session,) = [one for one in sessions_of(after.agent_id) if one.ended_at is None]
    assert (session.cordoned_by, session.cordoned_reason) == ("olga", "bad disk")

    ask_of(after, "resume", clock)
    clock.forward(5)
    again = await plane.agent(agent_id=after.agent_id).opens()
    assert await verbs_of(again) == []
    assert len(await again.offers()) == 1


async def test_an_agent_of_the_same_name_beside_a_cordoned_one_works(plane: Plane, clock: Clock) -> None:
    ask_of(await plane.agent().opens(), "cordon", clock)
    other = await plane.agent().opens()
    queued(clock)
    assert len(await other.offers()) == 1


async def test_a_cordoned_agent_that_is_gone_can_be_resumed(plane: Plane, clock: Clock) -> None:
    before = await plane.agent().opens()
    ask_of(before, "cordon", clock)
    await before.goodbye()
    ask_of(before, "resume", clock)
    clock.forward(5)
    after = await plane.agent(agent_id=before.agent_id).opens()
    queued(clock)
    assert len(await after.offers()) == 1


@pytest.mark.parametrize(("end", "verbs"), [("killed", ["drain"]), ("goodbye", [])])
async def test_a_drain_that_was_cut_off_goes_on_and_one_that_ended_is_over(
    plane: Plane, clock: Clock, end: str, verbs: list[str]
) -> None:
    before = await plane.agent().opens()
    ask_of(before, "drain", clock)
    if end == "goodbye":
        await before.goodbye()
    clock.forward(5)
    after = await plane.agent(agent_id=before.agent_id).opens()
    assert await verbs_of(after) == verbs


async def test_slots_that_were_asked_for_are_asked_of_the_next_session(plane: Plane, clock: Clock) -> None:
    before = await plane.agent().opens()
    with create_session() as db:
        ask = SetSlots(environment="main", slots=2)
        operator_agents.set_slots(db, before.agent_id, ask, actor="olga", now=clock())
    clock.forward(5)
    after = await plane.agent(agent_id=before.agent_id).opens()
    assert await verbs_of(after) == ["set_slots"]


async def test_a_command_is_sent_until_it_is_carried_out(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    command = uuid4()
    with create_session() as db:
        db.add(
            AgentCommand(
                id=command,
                session_id=sessions_of(agent.agent_id)[0].id,
                verb=Verb.DRAIN.value,
                arguments={},
                reason="an upgrade",
                asked_by="ada",
                created_at=clock(),
            )
        )
    for _ in range(2):
        (sent,) = (await agent.poll()).json()["commands"]
        assert (sent["id"], sent["verb"], sent["asked_by"]) == (str(command), "drain", "ada")
    assert (await agent.poll(carried_out=[str(command)])).json()["commands"] == []
    assert (await agent.poll()).json()["commands"] == []


async def test_opening_and_ending_are_audited(plane: Plane) -> None:
    agent = await plane.agent().opens()
    await agent.goodbye()
    with create_session() as db:
        events = [
            (one.action, one.actor, one.subject) for one in db.scalars(select(Event).order_by(Event.id))
        ]
    assert events == [
        ("token_created", "ada", "token:ci"),
        ("session_opened", "agent:eu-1", "agent:eu-1"),
        ("session_goodbye", "agent:eu-1", "agent:eu-1"),
    ]


def test_a_token_is_shown_once_and_limits_are_kept(clock: Clock) -> None:
    def make(name: str, days: int | None = 30, limit: int = 2) -> tokens.CreatedToken:
        with create_session() as db:
            return tokens.create(
                db, name=name, expires_in_days=days, created_by="ada", now=clock(), limit=limit
            )

    made = make("one")
    assert made.secret not in repr(made)
    assert made.token.shown == made.secret[: len("tw_agent_") + 8 + 4] + "…"
    for days in (0, 3651):
        with pytest.raises(Refused) as refused:
            make("two", days)
        assert refused.value.code is Code.MALFORMED
    with pytest.raises(Refused) as refused:
        make("one")
    assert refused.value.code is Code.CONFLICT
    make("two", None)
    with pytest.raises(Refused) as refused:
        make("three")
    assert refused.value.code is Code.LIMIT_REACHED
    with create_session() as db:
        tokens.delete(db, made.token.id, deleted_by="ada", now=clock())
        tokens.delete(db, made.token.id, deleted_by="eve", now=clock())
    make("one")
    with create_session() as db:
        assert tokens.get(db, made.token.id).deleted_by == "ada"
        assert db.scalar(select(func.count()).select_from(AgentToken)) == 3


async def test_an_agents_id_gives_a_token_of_another_site_nothing(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    with create_session() as db:
        made = tokens.create(
            db, name="us", site="us", expires_in_days=None, created_by="ada", now=clock(), limit=9
        )
    thief = plane.agent("eu-1", agent_id=agent.agent_id)
    thief.secret = made.secret
    for _ in range(2):
        refused = await thief.open()
        assert (refused.status_code, refused.json()["error"]) == (403, "wrong_site")
        assert "of an agent of site 'default'" in refused.json()["message"]
        assert len(sessions_of(agent.agent_id)) == 1
        if sessions_of(agent.agent_id)[0].ended_at is None:
            await agent.goodbye()
    fresh = plane.agent("us-1")
    fresh.secret = made.secret
    answer = await fresh.open()
    assert answer.json()["site"] == "us"
    assert sessions_of(fresh.agent_id)[0].site == "us"
