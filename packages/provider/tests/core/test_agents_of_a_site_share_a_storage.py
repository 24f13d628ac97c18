"""An agent whose XCom storage is not that of the agents beside it is a finding before it gets work."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from tradewind_protocol import operator
from tradewind_protocol.states import AgentState
from tradewind_provider.airflow.database import create_session
from tradewind_provider.domain import storages
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.domain.storages import StorageHolder
from tradewind_provider.services import storages as services_storages
from tradewind_provider.services.operator import agent_views
from tradewind_provider.store.tables import AgentSession

from .scenes import Agent, Clock, Plane, queued

BEATS = HeartbeatLimits(25.0, 75.0)
FOLDER = "file:///var/lib/tradewind-agent/xcom"
SHARED = {"base": "s3://bucket/xcom"}
ONE = {"base": FOLDER, "mark": "1" * 16}
TWO = {"base": FOLDER, "mark": "2" * 16}


def environment(xcom: dict[str, str], *queues: str, **more: Any) -> dict[str, Any]:
    return {"name": "main", "queues": queues or ("default",), "slots": 4, "xcom": xcom, **more}


async def agent_of(plane: Plane, name: str, xcom: dict[str, str], *queues: str, **more: Any) -> Agent:
    agent = plane.agent(name, queues=queues or ("default",))
    return await agent.opens(environments=[environment(xcom, *queues)], bundles=["dags"], **more)


def view(clock: Clock, name: str) -> operator.AgentView:
    with create_session() as db:
        session = db.scalars(
            select(AgentSession).where(AgentSession.name == name, AgentSession.ended_at.is_(None))
        ).one()
        return agent_views.view(db, session, now=clock(), beats=BEATS)


async def test_the_second_agent_with_a_folder_of_its_own_gets_no_work_and_says_why(
    plane: Plane, clock: Clock
) -> None:
    first = await agent_of(plane, "eu-1", ONE)
    second = await agent_of(plane, "eu-2", TWO)
    queued(clock)
    assert await second.offers() == []
    assert len(await first.offers()) == 1
    degraded = view(clock, "eu-2")
    assert degraded.state is AgentState.DEGRADED
    (finding,) = degraded.findings
    assert finding.check == "storage:main"
    assert f"{FOLDER} (mark {'2' * 16})" in finding.message
    assert (
        f"of agent eu-1, which runs Dags of the same bundle, in {FOLDER} of another disk" in finding.message
    )
    assert "Set `storage`" in finding.remedy
    assert degraded.environments[0].problem == finding.message
    assert view(clock, "eu-1").findings == ()


async def test_it_gets_work_once_it_has_the_others_storage_or_the_other_is_gone(
    plane: Plane, clock: Clock
) -> None:
    first = await agent_of(plane, "eu-1", ONE)
    second = await agent_of(plane, "eu-2", TWO)
    third = await agent_of(plane, "eu-3", TWO)
    assert await second.offers(environments=[environment(ONE)]) == []
    queued(clock)
    assert len(await second.offers()) == 1
    assert await third.offers() == []
    await first.goodbye()
    await second.goodbye()  # what it was offered is free again
    assert len(await third.offers()) == 1
    assert view(clock, "eu-3").findings == ()


async def test_what_an_agent_is_told_after_it_opened_its_session_counts_before_its_first_work(
    plane: Plane, clock: Clock
) -> None:
    await agent_of(plane, "eu-1", ONE)
    second = await agent_of(plane, "eu-2", {})  # its processes have not said yet
    queued(clock)
    assert await second.offers(environments=[environment(TWO)]) == []


@pytest.mark.parametrize(
    ("other", "queues"),
    [(ONE, ()), ({"base": "file:///mnt/same", "mark": "1" * 16}, ()), ({}, ())],
    ids=["the same", "one folder under two paths", "values that go to the plane"],
)
async def test_agents_that_read_each_others_values_work_side_by_side(
    plane: Plane, clock: Clock, other: dict[str, str], queues: tuple[str, ...]
) -> None:
    await agent_of(plane, "eu-1", ONE)
    second = await agent_of(plane, "eu-2", other, *queues)
    queued(clock)
    assert len(await second.offers()) == 1
    assert view(clock, "eu-2").findings == ()


async def test_agents_of_other_queues_work_and_are_told(plane: Plane, clock: Clock) -> None:
    await agent_of(plane, "eu-1", ONE, "factory-1")
    second = await agent_of(plane, "eu-2", TWO, "factory-2")
    queued(clock, queue="factory-2")
    assert len(await second.offers()) == 1
    (finding,) = view(clock, "eu-2").findings
    assert "a Dag whose tasks are on queues of both fails" in finding.message
    assert view(clock, "eu-2").environments[0].problem == ""


async def test_the_finding_is_over_with_the_next_poll_after_its_cause(plane: Plane, clock: Clock) -> None:
    first = await agent_of(plane, "eu-1", ONE)
    second = await agent_of(plane, "eu-2", TWO)
    await second.offers()
    assert view(clock, "eu-2").findings != ()
    await first.goodbye()
    await second.offers()
    assert view(clock, "eu-2").findings == ()


async def test_an_agent_with_another_key_than_its_sites_gets_no_work_on_any_queue(
    plane: Plane, clock: Clock
) -> None:
    first = plane.agent("eu-1", queues=("a",))
    await first.opens(environments=[environment({}, "a", key="1" * 32)], bundles=["dags"])
    second = plane.agent("eu-2", queues=("b",))
    await second.opens(environments=[environment({}, "b", key="2" * 32)], bundles=["dags"])
    queued(clock, queue="b")
    assert await second.offers() == []
    (finding,) = view(clock, "eu-2").findings
    assert finding.check == "site_key:main"
    assert "than agent eu-1" in finding.message
    assert "site_key_file" in finding.remedy
    with create_session() as db:
        sessions = {row.name: row.id for row in db.scalars(select(AgentSession))}
        assert services_storages.has_another_key(db, sessions["eu-2"])
        assert not services_storages.has_another_key(db, sessions["eu-1"])
    assert len(await second.offers(environments=[environment({}, "b", key="1" * 32)])) == 1
    assert view(clock, "eu-2").findings == ()


async def test_agents_with_other_bundles_may_have_other_keys(plane: Plane, clock: Clock) -> None:
    first = plane.agent("eu-1", queues=("a",))
    await first.opens(environments=[environment({}, "a", key="1" * 32)], bundles=["dags"])
    second = plane.agent("eu-2", queues=("b",))
    await second.opens(environments=[environment({}, "b", key="2" * 32)], bundles=["others"])
    queued(clock, queue="b")
    assert len(await second.offers()) == 1


def storage_holder(**more: Any) -> StorageHolder:
    fields = {
        "agent": "a",
        "environment": "main",
        "queues": frozenset({"default"}),
        "bundles": frozenset({"dags"}),
        "base": FOLDER,
        "mark": "",
    }
    return StorageHolder(**{**fields, **more})


def test_rules_of_conflicts() -> None:
    one = storage_holder()
    assert storages.conflict(one, []) is None
    assert storages.conflict(one, [storage_holder()]) is None
    assert storages.conflict(one, [storage_holder(base="s3://b", bundles=frozenset({"others"}))]) is None
    apart = storage_holder(base="s3://b", queues=frozenset({"q"}))
    torn = storage_holder(base="s3://c")
    found = storages.conflict(one, [apart, torn])
    assert found is not None
    assert (found.other, found.holds) == (torn, True)
    assert "s3://c" in found.said_of(one)
    assert FOLDER in found.said_of(one)
    found = storages.conflict(one, [apart])
    assert found is not None
    assert not found.holds
