"""Whose Dag bundles are, and taking one from its site."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from sqlalchemy import select

from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.tables import Event

from .conftest import NOW


async def test_a_bundle_is_listed_with_its_agent_and_token(signed_in: Any, rows: Any) -> None:
    token = rows.token("frankfurt")
    rows.bundle("etl", token_id=token, session_id=uuid4())
    rows.bundle("reports", agent_name="us-1")
    page = (await signed_in("vera").get("/bundles")).json()
    assert page["total"] == 2
    etl, reports = page["items"]
    assert (etl["name"], etl["agent"], etl["token"], etl["spoken_for"]) == ("etl", "eu-1", "frankfurt", True)
    assert (reports["name"], reports["agent"], reports["spoken_for"]) == ("reports", "us-1", False)
    assert ((etl["files"], etl["dags"], etl["stored_at"])) == (0, 0, None)


async def test_a_released_bundle_is_nobodys_and_that_is_written_down(signed_in: Any, rows: Any) -> None:
    rows.bundle("team/etl")
    admin = signed_in("ada")
    answer = await admin.post("/bundles/team/etl/release", json={"reason": "moved to us-1"})
    assert answer.status_code == 204, answer.text
    assert rows.read(select(DagBundle)) == []
    (event,) = rows.read(select(Event).where(Event.action == "bundle_released"))
    assert (event.actor, event.subject, event.reason, event.at) == (
        "ada",
        "bundle:team/etl",
        "moved to us-1",
        NOW,
    )
    again = await admin.post("/bundles/team/etl/release", json={})
    assert (again.status_code, again.json()["error"]) == (404, "not_found")
