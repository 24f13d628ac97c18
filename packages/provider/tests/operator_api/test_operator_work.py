"""Tokens, attempts, queues and the audit trail."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from tradewind_protocol import ids
from tradewind_provider.store.tables import AgentCommand, AgentToken

from .conftest import NOW


async def test_a_tokens_value_is_shown_once(signed_in: Any, rows: Any) -> None:
    admin = signed_in("ada")
    made = await admin.post("/tokens", json={"name": "ci", "description": "for CI", "expires_in_days": 30})
    assert made.status_code == 201
    value = made.json()["token"]
    assert ids.has_form_of(value, ids.AGENT_TOKEN_PREFIX)
    assert made.json()["expires_at"] == "2026-03-31T12:00:00Z"
    listed = await admin.get("/tokens")
    got = await admin.get(f"/tokens/{made.json()['id']}")
    assert value not in listed.text + got.text
    assert got.json()["prefix"] == ids.shown(value)
    assert value not in str([vars(one) for one in rows.read(select(AgentToken))])


async def test_a_token_may_never_expire(signed_in: Any) -> None:
    made = await signed_in("ada").post("/tokens", json={"name": "forever"})
    assert made.json()["expires_at"] is None


@pytest.mark.parametrize("days", [0, 3651, "soon"])
async def test_days_that_make_no_sense_are_refused_by_the_name_of_the_field(
    signed_in: Any, days: Any
) -> None:
    answer = await signed_in("ada").post("/tokens", json={"name": "ci", "expires_in_days": days})
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")
    assert "expires_in_days" in answer.json()["message"]


async def test_a_deleted_token_is_not_listed_and_its_sessions_end(signed_in: Any, rows: Any) -> None:
    token_id = rows.token("ci")
    agent_id = rows.agent(token_id=token_id)
    admin = signed_in("ada")
    for _ in range(2):  # again changes nothing
        answer = await admin.delete(f"/tokens/{token_id}", params={"reason": "leaked"})
        assert answer.status_code == 204
    assert (await admin.get("/tokens")).json()["total"] == 0
    assert (await admin.get(f"/tokens/{token_id}")).status_code == 404
    agent = (await admin.get(f"/agents/{agent_id}")).json()
    assert agent["state"] == "offline"
    assert "deleted by ada" in agent["state_reason"]
    deleted = (await admin.get("/events", params={"action": "token"})).json()["items"]
    assert [(one["action"], one["actor"], one["reason"]) for one in deleted] == [
        ("token_deleted", "ada", "leaked")
    ]


async def test_attempts_are_found_by_what_they_are(signed_in: Any, rows: Any) -> None:
    agent_id = rows.agent()
    queued = rows.attempt("queued", queue="gpu", dag_id="train")
    running = rows.attempt("running", session_id=rows.session_of(agent_id))
    lost = rows.attempt("finished", outcome="lost", reason="agent 'eu-0' was lost", ended_at=NOW)

    async def found(**filters: Any) -> set[str]:
        page = (await signed_in("olga").get("/attempts", params=filters)).json()
        assert page["total"] == len(page["items"])
        return {one["id"] for one in page["items"]}

    assert await found() == {str(queued), str(running), str(lost)}
    assert await found(state=["queued", "running"]) == {str(queued), str(running)}
    assert await found(queue="gpu") == {str(queued)}
    assert await found(dag_id="train") == {str(queued)}
    assert await found(agent_id=str(agent_id)) == {str(running)}


async def test_stopping_an_attempt_asks_its_agent_once(signed_in: Any, rows: Any) -> None:
    agent_id = rows.agent()
    attempt_id = rows.attempt("running", session_id=rows.session_of(agent_id), epoch=3)
    for _ in range(2):
        answer = await signed_in("olga").post(f"/attempts/{attempt_id}/stop", json={"reason": "stuck"})
        assert answer.status_code == 202
    (command,) = rows.read(select(AgentCommand))
    assert command.verb == "stop_attempt"
    assert command.arguments == {"attempt_id": str(attempt_id), "epoch": 3}
    assert (command.reason, command.asked_by) == ("stuck", "olga")


@pytest.mark.parametrize("state", ["queued", "offered", "finished"])
async def test_an_attempt_that_does_not_run_cannot_be_stopped(signed_in: Any, rows: Any, state: str) -> None:
    attempt_id = rows.attempt(state)
    answer = await signed_in("olga").post(f"/attempts/{attempt_id}/stop", json={})
    assert answer.status_code == 409
    assert state in answer.json()["message"]
    assert (await signed_in("olga").post(f"/attempts/{uuid4()}/stop", json={})).status_code == 404


async def queues(signed_in: Any) -> dict[str, dict[str, Any]]:
    page = (await signed_in("vera").get("/queues")).json()
    return {one["queue"]: one for one in page["items"]}


async def test_a_queue_says_how_deep_it_is_and_who_serves_it(signed_in: Any, rows: Any) -> None:
    agent_id = rows.agent()
    rows.agent("eu-2")
    rows.attempt("queued", created_at=NOW - timedelta(seconds=90))
    rows.attempt("queued")
    rows.attempt("running", session_id=rows.session_of(agent_id))
    queue = (await queues(signed_in))["default"]
    assert (queue["depth"], queue["oldest_wait"], queue["running"]) == (2, 90.0, 1)
    assert (queue["slots"], queue["slots_used"], queue["agents"]) == (8, 1, ["eu-1", "eu-2"])
    assert queue["warning"] == ""


async def test_a_queue_that_nobody_serves_is_a_warning(signed_in: Any, rows: Any) -> None:
    rows.agent()
    rows.attempt("queued", queue="gpu")
    assert (await queues(signed_in))["gpu"]["warning"] == (
        "1 piece of work: waits for an agent of site default on queue gpu: no agent of this site serves the queue"
    )


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"cordoned_at": NOW}, "eu-1 (cordoned)"),
        ({"last_beat_at": NOW - timedelta(seconds=40)}, "eu-1 (unreachable)"),
        ({"environments": [{"name": "a", "queues": ["default"], "slots": 0}]}, "eu-1 (no slots)"),
        (
            {"environments": [{"name": "a", "queues": ["default"], "slots": 1, "problem": "no Airflow"}]},
            "eu-1 (environment a: no Airflow)",
        ),
    ],
)
async def test_a_queue_whose_agents_take_nothing_says_why(
    signed_in: Any, rows: Any, columns: dict[str, Any], why: str
) -> None:
    rows.agent(**columns)
    queue = (await queues(signed_in))["default"]
    assert queue["agents"] == []
    assert queue["warning"] == f"no agent takes work from this queue now: {why}"


async def test_an_agent_that_runs_no_worker_serves_no_queue(signed_in: Any, rows: Any) -> None:
    rows.agent(components=["triggerer"])
    assert await queues(signed_in) == {}


async def test_events_are_read_newest_first_in_parts_and_by_what_they_are(
    signed_in: Any, rows: Any, now: list[Any]
) -> None:
    agent_id = rows.agent()
    for step, verb in enumerate(("cordon", "resume", "drain")):
        now[0] = NOW + timedelta(seconds=step)
        await signed_in("olga").post(f"/agents/{agent_id}/{verb}", json={"reason": f"step {step}"})

    async def reasons(**filters: Any) -> list[str]:
        page = (await signed_in("vera").get("/events", params=filters)).json()
        return [one["reason"] for one in page["items"]]

    assert await reasons() == ["step 2", "step 1", "step 0"]
    assert await reasons(limit=1, offset=1) == ["step 1"]
    assert await reasons(action="agent_resumed") == ["step 1"]
    assert await reasons(action="agent") == ["step 2", "step 1", "step 0"]
    assert await reasons(since="2026-03-01T12:00:01Z", until="2026-03-01T12:00:02Z") == ["step 1"]
    assert await reasons(actor="ada") == []
    naive = await signed_in("vera").get("/events", params={"since": "2026-03-01T12:00:01"})
    assert naive.status_code == 422


async def test_an_address_that_is_none_is_refused_like_everything_else(signed_in: Any) -> None:
    answer = await signed_in("ada").get("/agentz")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


async def test_the_api_describes_itself(signed_in: Any, app: Any) -> None:
    described = app.routes[-1].app.openapi()
    assert {
        tag for path in described["paths"].values() for verb in path.values() for tag in verb["tags"]
    } == {
        "Agents",
        "Agent tokens",
        "Allowed addresses",
        "Site access",
        "Attempts",
        "Queues",
        "Dag bundles",
        "Events",
        "Sentinels",
        "Recipes",
        "You",
    }
    assert all(verb["summary"] for path in described["paths"].values() for verb in path.values())


@pytest.mark.parametrize(
    ("columns", "process", "task_state"),
    [
        ({"outcome": "succeeded", "exit_code": 0, "task_state": "failed"}, "exited", "failed"),
        ({"outcome": "succeeded", "exit_code": 0}, "exited", None),
        ({"outcome": "failed", "exit_code": 3, "task_state": "failed"}, "exited", "failed"),
        ({"outcome": "failed", "signal": "SIGKILL", "task_state": "up_for_retry"}, "killed", "up_for_retry"),
        ({"outcome": "failed"}, "broken", None),
        ({"outcome": "stopped", "signal": "SIGTERM"}, "stopped", None),
        ({"outcome": "lost"}, "lost", None),
    ],
)
async def test_the_end_of_a_process_and_the_state_of_its_task_are_two_words(
    signed_in: Any, rows: Any, columns: dict[str, Any], process: str, task_state: str | None
) -> None:
    rows.attempt("finished", ended_at=NOW, **columns)
    (one,) = (await signed_in("ada").get("/attempts")).json()["items"]
    assert (one["process"], one["task_state"]) == (process, task_state)
