"""Looking at agents, and what is asked of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from tradewind_provider.store.tables import AgentCommand, AgentSession, Event

from .conftest import NOW


async def test_an_agent_is_shown_with_its_state_load_and_age(signed_in: Any, rows: Any) -> None:
    agent_id = rows.agent(
        environments=[
            {"name": "default", "queues": ["default"], "slots": 4, "airflow": "3.3.2"},
            {"name": "gpu", "queues": ["gpu"], "slots": 1},
        ]
    )
    session_id = rows.session_of(agent_id)
    rows.attempt("running", session_id=session_id)
    rows.attempt("offered", session_id=session_id)
    rows.attempt("running", session_id=session_id, queue="gpu")
    rows.attempt("finished", session_id=session_id)

    (agent,) = (await signed_in("vera").get("/agents")).json()["items"]
    assert (agent["id"], agent["name"], agent["state"]) == (str(agent_id), "eu-1", "healthy")
    assert agent["beat_age"] == 4.0
    assert agent["queues"] == ["default", "gpu"]
    assert (agent["slots"], agent["slots_used"]) == (5, 3)
    assert [(one["name"], one["used"]) for one in agent["environments"]] == [("default", 2), ("gpu", 1)]


@pytest.mark.parametrize(
    ("columns", "state", "why"),
    [
        ({"last_beat_at": None, "opened_at": NOW}, "starting", ""),
        ({"last_beat_at": NOW - timedelta(seconds=40)}, "unreachable", "no poll for 40 s"),
        ({"last_beat_at": NOW - timedelta(seconds=80)}, "lost", "no poll for 80 s"),
        (
            {"cordoned_at": NOW, "cordoned_by": "olga", "cordoned_reason": "new disk"},
            "cordoned",
            "by olga: new disk",
        ),
        ({"draining_at": NOW, "draining_by": "olga"}, "draining", "by olga"),
        ({"findings": [{"check": "disk", "message": "disk is full"}]}, "degraded", "disk is full"),
        (
            {"environments": [{"name": "ml", "queues": [], "slots": 1, "problem": "has no Airflow"}]},
            "degraded",
            "environment ml: has no Airflow",
        ),
    ],
)
async def test_a_state_comes_with_its_reason(
    signed_in: Any, rows: Any, columns: dict[str, Any], state: str, why: str
) -> None:
    rows.agent(**columns)
    (agent,) = (await signed_in("vera").get("/agents")).json()["items"]
    assert (agent["state"], agent["state_reason"]) == (state, why)


async def test_agents_that_are_gone_are_listed_when_asked_for(signed_in: Any, rows: Any) -> None:
    rows.agent("here")
    rows.agent("left", ended_at=NOW, ended_how="goodbye", ended_reason="it said goodbye")
    viewer = signed_in("vera")
    assert [one["name"] for one in (await viewer.get("/agents")).json()["items"]] == ["here"]
    everybody = (await viewer.get("/agents", params={"gone": True})).json()["items"]
    assert [(one["name"], one["state"]) for one in everybody] == [("here", "healthy"), ("left", "offline")]
    offline = (await viewer.get("/agents", params={"state": "offline"})).json()["items"]
    assert [one["name"] for one in offline] == ["left"]


async def test_an_agent_is_listed_once_however_often_it_was_restarted(signed_in: Any, rows: Any) -> None:
    agent_id = rows.agent(
        opened_at=NOW - timedelta(days=1),
        ended_at=NOW - timedelta(hours=2),
        ended_how="lost",
        ended_reason="…",
    )
    rows.agent(agent_id=agent_id)
    page = (await signed_in("vera").get("/agents", params={"gone": True})).json()
    assert page["total"] == 1
    assert page["items"][0]["state"] == "healthy"


async def test_a_long_list_is_read_in_parts(signed_in: Any, rows: Any) -> None:
    for number in range(5):
        rows.agent(f"eu-{number}")
    page = (await signed_in("vera").get("/agents", params={"limit": 2, "offset": 3})).json()
    assert [one["name"] for one in page["items"]] == ["eu-3", "eu-4"]
    assert (page["total"], page["limit"], page["offset"]) == (5, 2, 3)


async def test_what_runs_on_an_agent_is_shown_with_it(signed_in: Any, rows: Any) -> None:
    rows.dag("etl")
    agent_id = rows.agent()
    attempt_id = rows.attempt("running", session_id=rows.session_of(agent_id), granted_at=NOW)
    rows.attempt("queued")
    agent = (await signed_in("vera").get(f"/agents/{agent_id}")).json()
    assert [one["id"] for one in agent["running"]] == [str(attempt_id)]
    assert agent["running"][0]["waited"] == 30.0


def commands_of(rows: Any, agent_id: UUID) -> list[tuple[str, dict[str, Any], str, str]]:
    wanted = select(AgentCommand).where(AgentCommand.session_id == rows.session_of(agent_id))
    found = rows.read(wanted.order_by(AgentCommand.created_at))
    return [(one.verb, one.arguments, one.reason, one.asked_by) for one in found]


def events_of(rows: Any) -> list[tuple[str, str, str, str]]:
    found = rows.read(select(Event).order_by(Event.id))
    return [(one.action, one.actor, one.subject, one.reason) for one in found]


@pytest.mark.parametrize(
    ("verb", "action", "state"),
    [("cordon", "agent_cordoned", "cordoned"), ("drain", "agent_drained", "draining")],
)
async def test_a_change_is_commanded_written_down_and_seen_at_once(
    signed_in: Any, rows: Any, verb: str, action: str, state: str
) -> None:
    agent_id = rows.agent()
    answer = await signed_in("olga").post(f"/agents/{agent_id}/{verb}", json={"reason": "new disk"})
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["pending_commands"]) == (state, 1)
    assert commands_of(rows, agent_id) == [(verb, {}, "new disk", "olga")]
    assert events_of(rows) == [(action, "olga", "agent:eu-1", "new disk")]


@pytest.mark.parametrize("verb", ["cordon", "drain", "resume"])
async def test_asking_again_changes_nothing(signed_in: Any, rows: Any, verb: str) -> None:
    agent_id = rows.agent(**({"cordoned_at": NOW} if verb == "resume" else {}))
    for _ in range(2):
        answer = await signed_in("olga").post(f"/agents/{agent_id}/{verb}", json={})
        assert answer.status_code == 200
    assert len(commands_of(rows, agent_id)) == 1
    assert len(events_of(rows)) == 1


async def test_another_reason_for_a_cordon_takes_the_place_of_the_first(signed_in: Any, rows: Any) -> None:
    agent_id = rows.agent()
    await signed_in("olga").post(f"/agents/{agent_id}/cordon", json={"reason": "new disk"})
    answer = await signed_in("ada").post(f"/agents/{agent_id}/cordon", json={"reason": "no disk to be had"})
    assert answer.json()["state_reason"] == "by ada: no disk to be had"
    assert len(commands_of(rows, agent_id)) == 1


async def test_a_draining_agent_cannot_be_resumed(signed_in: Any, rows: Any) -> None:
    agent_id = rows.agent(draining_at=NOW)
    answer = await signed_in("olga").post(f"/agents/{agent_id}/resume", json={})
    assert (answer.status_code, answer.json()["error"]) == (409, "conflict")


async def test_slots_are_asked_for_by_environment(signed_in: Any, rows: Any) -> None:
    agent_id = rows.agent()
    path = f"/agents/{agent_id}/slots"
    answer = await signed_in("olga").post(path, json={"environment": "default", "slots": 9})
    assert answer.status_code == 200
    assert commands_of(rows, agent_id) == [("set_slots", {"environment": "default", "slots": 9}, "", "olga")]
    unknown = await signed_in("olga").post(path, json={"environment": "gpu", "slots": 9})
    assert unknown.status_code == 404
    assert "it has: default" in unknown.json()["message"]


async def test_nothing_is_asked_of_an_agent_that_is_gone(signed_in: Any, rows: Any) -> None:
    agent_id = rows.agent(ended_at=NOW, ended_how="lost", ended_reason="no poll for 76 s")
    answer = await signed_in("olga").post(f"/agents/{agent_id}/cordon", json={})
    assert answer.status_code == 409
    assert "no poll for 76 s" in answer.json()["message"]


async def test_only_an_agent_that_is_gone_can_be_removed(signed_in: Any, rows: Any) -> None:
    here = rows.agent("here")
    gone = rows.agent("gone", ended_at=NOW, ended_how="goodbye", ended_reason="it said goodbye")
    operator = signed_in("olga")
    assert (await operator.delete(f"/agents/{here}")).status_code == 409
    assert (await operator.delete(f"/agents/{gone}", params={"reason": "old"})).status_code == 204
    assert [one.name for one in rows.read(select(AgentSession))] == ["here"]
    assert events_of(rows) == [("agent_removed", "olga", "agent:gone", "old")]
    assert (await operator.get(f"/agents/{uuid4()}")).status_code == 404
