"""Who may speak: agent tokens, sessions, fencing, renewal, versions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from tradewind_protocol.sessions import Policy
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import tokens
from tradewind_provider.settings import Policies, SessionLimits, Settings
from tradewind_provider.store.tables import Event

from .scenes import Clock, Plane, error_of, queued, ref, row, running, sessions_of


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
