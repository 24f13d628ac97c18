"""Work goes to agents of the site that has its bundle, and of these to those that have it; else it waits and says for what."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from airflow.models.dagbundle import DagBundleModel
from sqlalchemy import update

from tradewind_protocol import dags as wire
from tradewind_protocol.attempts import WorkKind
from tradewind_provider.airflow.database import create_session
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import agents, tokens, work_routes
from tradewind_provider.services.dags import bundles
from tradewind_provider.services.operator import agent_views, attempts, queues
from tradewind_provider.services.operator.pages import PageRequest
from tradewind_provider.store.tables import AgentSession, Attempt

from .scenes import Agent, Clock, Plane, queued, row
from .test_what_idle_agents_cost import statements

BEATS = HeartbeatLimits(25.0, 75.0)


@pytest.fixture(autouse=True)
def no_bundle_is_the_planes() -> None:
    with create_session() as db:
        db.execute(update(DagBundleModel).values(active=False))


def token_of(site: str, clock: Clock) -> str:
    with create_session() as db:
        made = tokens.create(
            db,
            name=f"{site}-{uuid4()}",
            site=site,
            expires_in_days=None,
            created_by="ada",
            now=clock(),
            limit=50,
        )
    return made.secret


async def agent_of(
    plane: Plane, clock: Clock, site: str, name: str, bundles: tuple[str, ...] = (), **more: Any
) -> Agent:
    """An agent of a site, with a session."""
    agent = plane.agent(name)
    agent.secret = token_of(site, clock)
    return await agent.opens(bundles=bundles, components=["worker", "dag_processor"], **more)


def claims(agent: Agent, clock: Clock, *names: str) -> None:
    """Its dag processor claims bundles."""
    asked = wire.Claim(instance=uuid4(), bundles=tuple(wire.BundleClaim(name=name) for name in names))
    with create_session() as db:
        session = db.get(AgentSession, UUID(agent.session_id))
        assert session is not None
        told = bundles.claim(db, agents.agent_of(session), asked, now=clock())
    assert {one.role for one in told.bundles} == {wire.Role.SPEAKS}


def said(clock: Clock) -> str:
    """What the page of queues and the list of attempts say about the one piece of work that waits."""
    with create_session() as db:
        (queue,) = [one for one in queues.listed(db, now=clock(), beats=BEATS).items if one.depth]
        found = attempts.page(db, attempts.AttemptFilters(), PageRequest(), now=clock(), beats=BEATS).items
        (waiting,) = [one for one in found if one.waits_for]
    assert queue.warning in ("", f"1 piece of work: {waiting.waits_for}")
    return waiting.waits_for


async def test_two_sites_on_one_queue_each_get_the_work_of_their_own_bundles(
    plane: Plane, clock: Clock
) -> None:
    eu = await agent_of(plane, clock, "eu", "eu-1", ("eu-dags",))
    us = await agent_of(plane, clock, "us", "us-1", ("us-dags",))
    claims(eu, clock, "eu-dags")
    claims(us, clock, "us-dags")
    for_eu, for_us = queued(clock, bundle="eu-dags"), queued(clock, bundle="us-dags")
    assert [one["attempt_id"] for one in await us.offers()] == [str(for_us)]
    assert [one["attempt_id"] for one in await eu.offers()] == [str(for_eu)]


async def test_an_agent_gets_no_work_of_a_bundle_it_lacks_and_the_work_says_what_it_waits_for(
    plane: Plane, clock: Clock
) -> None:
    has = await agent_of(plane, clock, "eu", "eu-1", ("dags",))
    claims(has, clock, "dags")
    lacks = await agent_of(plane, clock, "eu", "eu-2")
    attempt = queued(clock, bundle="dags", queue="default")
    assert await lacks.offers() == []
    assert said(clock) == "waits for a free slot of site eu on queue default"
    await has.goodbye()
    assert said(clock) == (
        "waits for an agent of site eu with bundle dags on queue default: eu-2 (without the bundle)"
    )
    await lacks.goodbye()
    assert said(clock) == (
        "waits for an agent of site eu with bundle dags on queue default: no agent of this site is connected"
    )
    again = await agent_of(plane, clock, "eu", "eu-3", ("dags",))
    assert [one["attempt_id"] for one in await again.offers()] == [str(attempt)]


async def test_an_environment_that_cannot_make_a_bundle_gets_none_of_its_work(
    plane: Plane, clock: Clock
) -> None:
    agent = await agent_of(
        plane, clock, "eu", "eu-1", ("dags",),
        environments=[{"name": "main", "queues": ["default"], "slots": 4, "bundles": []}],
    )  # fmt: skip
    claims(agent, clock, "dags")
    attempt = queued(clock, bundle="dags")
    assert await agent.offers() == []
    assert said(clock).endswith("eu-1 (without the bundle)")
    answer = await agent.poll(environments=[{"name": "main", "queues": ["default"], "slots": 4}])
    assert [one["attempt_id"] for one in answer.json()["offers"]] == [str(attempt)]


async def test_work_of_a_bundle_that_nobody_has_waits_for_a_site_to_claim_it(
    plane: Plane, clock: Clock
) -> None:
    attempt = queued(clock, bundle="new")
    agent = await agent_of(plane, clock, "eu", "eu-1", ("new",))
    assert await agent.offers() == []
    assert said(clock) == "waits for a site that has bundle new: no agent has claimed it"
    claims(agent, clock, "new")
    assert [one["attempt_id"] for one in await agent.offers()] == [str(attempt)]


async def test_work_of_a_bundle_that_changes_hands_goes_to_its_new_site(plane: Plane, clock: Clock) -> None:
    eu = await agent_of(plane, clock, "eu", "eu-1", ("dags",))
    us = await agent_of(plane, clock, "us", "us-1", ("dags",))
    claims(eu, clock, "dags")
    attempt = queued(clock, bundle="dags")
    with create_session() as db:
        assert bundles.release(db, "dags", actor="ada", reason="moved", now=clock())
    claims(us, clock, "dags")
    assert await eu.offers() == []
    assert [one["attempt_id"] for one in await us.offers()] == [str(attempt)]


async def test_work_that_was_on_offer_as_its_bundle_changed_hands_goes_to_the_new_site_when_it_comes_back(
    plane: Plane, clock: Clock
) -> None:
    eu = await agent_of(plane, clock, "eu", "eu-1", ("dags",))
    us = await agent_of(plane, clock, "us", "us-1", ("dags",))
    claims(eu, clock, "dags")
    attempt = queued(clock, bundle="dags")
    (offer,) = await eu.offers()
    with create_session() as db:
        assert bundles.release(db, "dags", actor="ada", reason="moved", now=clock())
    claims(us, clock, "dags")
    assert (await eu.hand_back(offer)).status_code == 204
    await eu.goodbye()
    assert [one["attempt_id"] for one in await us.offers()] == [str(attempt)]


@pytest.mark.parametrize(("queue", "site"), [("eu:default", "eu"), ("default", "default")])
async def test_a_connection_test_goes_to_the_site_its_queue_names(
    plane: Plane, clock: Clock, queue: str, site: str
) -> None:
    agents = {
        "eu": await agent_of(plane, clock, "eu", "eu-1", ("dags",)),
        "default": await agent_of(plane, clock, "default", "eu-2"),
    }
    attempt = queued(clock, kind=WorkKind.CONNECTION_TEST, queue=queue)
    offered = {name: [one["attempt_id"] for one in await agent.offers()] for name, agent in agents.items()}
    assert offered == {"eu": [], "default": [], site: [str(attempt)]}
    assert (row(attempt).site, row(attempt).queue) == (site, "default")


async def test_the_planes_own_dags_run_at_the_default_site_where_an_agent_has_their_bundle(
    plane: Plane, clock: Clock
) -> None:
    eu = await agent_of(plane, clock, "eu", "eu-1", ("dags-folder",))
    without = await plane.agent("eu-2").opens()
    attempt = queued(clock, bundle="dags-folder")  # Airflow's default configuration names it
    assert await eu.offers() == await without.offers() == []
    shares = await plane.agent("eu-3").opens(bundles=["dags-folder"])
    assert [one["attempt_id"] for one in await shares.offers()] == [str(attempt)]


async def test_a_token_sees_what_waits_at_its_own_site_alone(plane: Plane, clock: Clock) -> None:
    eu = await agent_of(plane, clock, "eu", "eu-1", ("dags",))
    claims(eu, clock, "dags")
    queued(clock, bundle="dags", queue="gpu")
    default = plane.agent()
    for agent, depth in ((eu, 1), (default, 0)):
        answer = await agent.call("GET", "/queues/gpu", bearer=agent.secret)
        assert answer.json()["depth"] == depth
    assert (await default.call("GET", "/queues", bearer=default.secret)).json()["queues"] == []


async def test_a_poll_hears_of_the_queues_of_its_own_site_alone(plane: Plane, clock: Clock) -> None:
    eu = await agent_of(plane, clock, "eu", "eu-1", ("dags",))
    claims(eu, clock, "dags")
    us = await plane.agent("us-1").opens()
    for _ in range(2):
        queued(clock, bundle="dags")
    assert (await us.poll(free=0)).json()["queues"] == []
    (statistics,) = (await eu.poll(free=1)).json()["queues"]
    assert (statistics["queue"], statistics["depth"]) == ("default", 2)


async def test_what_waits_for_another_site_costs_this_sites_polls_no_look(plane: Plane, clock: Clock) -> None:
    eu = await agent_of(plane, clock, "eu", "eu-1", ("dags",))
    claims(eu, clock, "dags")
    await eu.goodbye()
    us = await plane.agent("us-1").opens()
    queued(clock, bundle="dags")
    await us.offers()
    left = plane.dispatcher._left
    assert left is not None
    assert {one.site for one in left} == {"eu"}
    heard = await us.offers()
    assert heard == []
    with create_session() as db:
        assert db.query(Attempt).filter_by(state="queued").count() == 1


async def test_queueing_asks_for_the_owner_of_a_bundle_once_in_a_transaction(
    plane: Plane, clock: Clock
) -> None:
    eu = await agent_of(plane, clock, "eu", "eu-1", ("dags",))
    claims(eu, clock, "dags")
    with create_session() as db, statements() as asked:
        for _ in range(5):
            queued(clock, bundle="dags", db=db)
    assert len([one for one in asked if "FROM tradewind_dag_bundle" in one]) == 1


async def test_work_that_was_queued_in_the_moment_of_a_claim_is_found_by_the_sweep(
    plane: Plane, clock: Clock
) -> None:
    agent = await agent_of(plane, clock, "eu", "eu-1", ("dags",))
    claims(agent, clock, "dags")
    attempt = queued(clock, bundle="dags")
    with create_session() as db:
        db.execute(update(Attempt).values(site=None))
    with create_session() as db:
        assert work_routes.settle(db) == 1
    assert row(attempt).site == "eu"
    assert [one["attempt_id"] for one in await agent.offers()] == [str(attempt)]


async def test_an_agent_is_starting_until_its_environments_are_ready(plane: Plane, clock: Clock) -> None:
    coming = {"name": "main", "queues": ["default"], "slots": 4, "starting": True}
    agent = await plane.agent().opens(environments=[coming])
    states = []
    for environment in (coming, {**coming, "problem": "no Airflow"}, {**coming, "starting": False}):
        await agent.poll(environments=[environment])
        with create_session() as db:
            session = db.get(AgentSession, UUID(agent.session_id))
            assert session is not None
            states.append(agent_views.state_of(session, clock(), BEATS)[0].value)
    assert states == ["starting", "degraded", "healthy"]
