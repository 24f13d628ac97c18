"""Who may do what. Airflow's auth manager decides; the audit trail names who did it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

ANY = UUID("00000000-0000-4000-8000-0000000000aa")
READS = ["/agents", f"/agents/{ANY}", "/attempts", "/queues", "/bundles", "/events"]
OPERATES = [
    ("GET", "/tokens"),
    ("GET", f"/tokens/{ANY}"),
    ("GET", "/allowed-addresses"),
    ("GET", "/connectivity"),
    ("GET", "/site-access"),
    *[("POST", f"/agents/{ANY}/{verb}") for verb in ("cordon", "drain", "resume", "slots")],
    ("POST", f"/attempts/{ANY}/stop"),
    ("DELETE", f"/agents/{ANY}"),
]
ADMINISTERS = [
    ("POST", "/tokens"),
    ("POST", f"/tokens/{ANY}/rotate"),
    ("DELETE", f"/tokens/{ANY}"),
    ("PUT", "/allowed-addresses"),
    ("POST", "/site-access"),
    ("DELETE", f"/site-access/{ANY}"),
    ("POST", "/bundles/none/release"),
]
BODY = {"name": "ci", "environment": "default", "slots": 1, "networks": []} | {
    "site": "eu",
    "other": "us",
    "access": "read",
}


async def _status(client: Any, method: str, path: str) -> int:
    answer = await client.request(method, path, json=BODY if method in ("POST", "PUT") else None)
    return int(answer.status_code)


@pytest.mark.parametrize("path", READS)
async def test_a_viewer_may_look(signed_in: Any, path: str) -> None:
    assert await _status(signed_in("vera"), "GET", path) in (200, 404)


@pytest.mark.parametrize(("method", "path"), OPERATES)
async def test_an_op_may_operate_and_a_user_may_not(signed_in: Any, method: str, path: str) -> None:
    assert await _status(signed_in("una"), method, path) == 403
    assert await _status(signed_in("olga"), method, path) in (200, 404)


@pytest.mark.parametrize(("method", "path"), ADMINISTERS)
async def test_an_admin_may_administer_and_an_op_may_not(signed_in: Any, method: str, path: str) -> None:
    assert await _status(signed_in("olga"), method, path) == 403
    assert await _status(signed_in("ada"), method, path) in (200, 201, 204, 404)


async def test_a_refusal_names_the_user_and_what_they_may_not_do(signed_in: Any) -> None:
    answer = await signed_in("vera").post("/tokens", json={"name": "ci"})
    assert answer.json() == {
        "error": "not_permitted",
        "message": "user 'vera' may not make, rotate and delete agent tokens, set allowed addresses and site access, and take bundles from sites",
        "remedy": "Ask an administrator of this Airflow for a role that may.",
        "detail": {},
    }


@pytest.mark.parametrize(("method", "path"), [("GET", path) for path in READS] + OPERATES + ADMINISTERS)
async def test_nobody_gets_anything_without_a_sign_in(signed_in: Any, method: str, path: str) -> None:
    client = signed_in("")
    answer = await client.request(method, path, json=BODY if method in ("POST", "PUT") else None)
    assert (answer.status_code, answer.json()["error"]) == (401, "token_missing")
    assert "/auth/token" in answer.json()["remedy"]


async def test_a_token_that_is_none_of_airflows_is_a_matter_of_signing_in(signed_in: Any) -> None:
    client = signed_in("")
    answer = await client.get("/agents", headers={"Authorization": "Bearer tw_agent_nonsense"})
    assert (answer.status_code, answer.json()["error"]) == (401, "token_malformed")


async def test_work_of_dags_a_user_may_not_read_is_not_shown(
    signed_in: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.app import get_auth_manager

    rows.dag("etl")
    rows.dag("payroll")
    agent_id = rows.agent()
    for dag_id in ("etl", "payroll"):
        rows.attempt("running", dag_id=dag_id, session_id=rows.session_of(agent_id))
    # the simple manager lets viewers read every Dag; FAB and others do not
    monkeypatch.setattr(get_auth_manager(), "get_authorized_dag_ids", lambda **_: {"etl"})
    listed = (await signed_in("vera").get("/attempts")).json()
    assert [one["dag_id"] for one in listed["items"]] == ["etl"]
    assert listed["total"] == 1
    agent = (await signed_in("vera").get(f"/agents/{agent_id}")).json()
    assert [one["dag_id"] for one in agent["running"]] == ["etl"]
    assert agent["slots_used"] == 2
    everything = (await signed_in("olga").get("/attempts")).json()
    assert everything["total"] == 2
