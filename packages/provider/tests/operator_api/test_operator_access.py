"""Rotating tokens, setting the allowed addresses, and where all of it is written down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow.models.log import Log
from sqlalchemy import select

from tradewind_protocol import ids
from tradewind_provider import settings
from tradewind_provider.services import client_address

from .conftest import NOW


@pytest.fixture
def from_home() -> Iterator[None]:
    token = client_address.ADDRESS.set("203.0.113.7")
    yield
    client_address.ADDRESS.reset(token)


async def test_a_rotated_token_has_another_value_and_keeps_its_id(signed_in: Any, now: list[Any]) -> None:
    admin = signed_in("ada")
    made = (await admin.post("/tokens", json={"name": "ci", "expires_in_days": 30})).json()
    now[0] = NOW + timedelta(days=1)
    answer = await admin.post(f"/tokens/{made['id']}/rotate", json={"overlap_hours": 12, "reason": "yearly"})
    rotated = answer.json()
    assert answer.status_code == 200
    assert rotated["id"] == made["id"] and rotated["expires_at"] == made["expires_at"]
    assert rotated["token"] != made["token"]
    assert rotated["prefix"] == ids.shown(rotated["token"]) != made["prefix"]
    (listed,) = (await admin.get("/tokens")).json()["items"]
    assert listed["rotated_at"] == "2026-03-02T12:00:00Z"
    assert listed["old_values_until"] == "2026-03-03T00:00:00Z"
    now[0] = NOW + timedelta(days=2)
    assert (await admin.get(f"/tokens/{made['id']}")).json()["old_values_until"] is None


@pytest.mark.parametrize("hours", [-1, 24 * 91, "NaN"])
async def test_an_overlap_that_makes_no_sense_is_refused(signed_in: Any, rows: Any, hours: Any) -> None:
    token_id = rows.token("ci")
    answer = await signed_in("ada").post(f"/tokens/{token_id}/rotate", json={"overlap_hours": hours})
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


async def test_recipes_name_the_address_for_agents_and_never_the_browsers(
    signed_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = {
        "name": "eu-1",
        "image": "registry.example.com/agent:1",
        "packages": "/srv/dist",
        "bundle": {"kind": "folder", "name": "dags", "folder": "/srv/dags"},
    }
    asked = (await signed_in("ada").post("/recipes", json=ask)).json()
    assert asked["recipes"] == []
    [problem] = asked["problems"]
    assert problem["field"] == "plane_url" and "[tradewind] agent_url" in problem["message"]
    ask["plane_url"] = "https://typed.example.com/"
    made = (await signed_in("ada").post("/recipes", json=ask)).text
    assert "https://typed.example.com" in made and "https://typed.example.com/" not in made
    monkeypatch.setenv("AIRFLOW__TRADEWIND__AGENT_URL", "https://k3.external.example.com/d4f2/")
    settings.current.cache_clear()
    try:
        made = (await signed_in("ada").post("/recipes", json=ask)).text
    finally:
        settings.current.cache_clear()
    assert "https://k3.external.example.com/d4f2" in made
    assert "typed.example.com" not in made


async def test_the_private_endpoints_are_set_and_the_networks_stay(signed_in: Any, from_home: None) -> None:
    admin = signed_in("ada")
    await admin.put("/allowed-addresses", json={"networks": [{"network": "203.0.113.0/24"}]})
    networks = [{"network": "203.0.113.0/24"}]
    ask = {
        "networks": networks,
        "endpoints": [{"endpoint": "azure:3735928559", "name": "eu"}],
        "reason": "private link",
    }
    answer = await admin.put("/allowed-addresses", json=ask)
    assert answer.status_code == 200
    assert (answer.json()["endpoints"], answer.json()["private_only"]) == (ask["endpoints"], False)
    assert [one["network"] for one in answer.json()["networks"]] == ["203.0.113.0/24"]
    assert (await admin.put("/allowed-addresses", json={"networks": networks, "private_only": True})).json()[
        "private_only"
    ]
    (event, *_) = (await admin.get("/events", params={"action": "allowed_addresses_set"})).json()["items"]
    assert event["detail"]["endpoints"] == ["azure:3735928559"]
    wrong = await admin.put(
        "/allowed-addresses", json={"networks": networks, "endpoints": [{"endpoint": "vpce-1"}]}
    )
    assert (wrong.status_code, wrong.json()["error"]) == (422, "malformed")
    assert "aws:vpce-" in wrong.json()["remedy"]


async def test_the_allowed_addresses_are_set_and_read(signed_in: Any, from_home: None) -> None:
    admin = signed_in("ada")
    empty = (await admin.get("/allowed-addresses")).json()
    assert (empty["networks"], empty["revision"], empty["your_address"]) == ([], 0, "203.0.113.7")
    networks = [{"network": "203.0.113.0/24", "description": "office"}, {"network": "2001:db8::1"}]
    answer = await admin.put(
        "/allowed-addresses", json={"networks": networks, "reason": "audit", "revision": 0}
    )
    assert answer.status_code == 200
    assert answer.json() == (await signed_in("olga").get("/allowed-addresses")).json()
    assert [one["network"] for one in answer.json()["networks"]] == ["203.0.113.0/24", "2001:db8::1/128"]
    assert (answer.json()["revision"], answer.json()["changed_by"]) == (1, "ada")


async def test_a_list_that_locks_its_author_out_needs_force(signed_in: Any, from_home: None) -> None:
    admin = signed_in("ada")
    ask = {"networks": [{"network": "10.0.0.0/8"}]}
    answer = await admin.put("/allowed-addresses", json=ask)
    assert (answer.status_code, answer.json()["detail"]["your_address"]) == (409, "203.0.113.7")
    assert (await admin.put("/allowed-addresses", json=ask | {"force": True})).status_code == 200


async def test_a_list_that_locks_out_agents_names_them_and_needs_force(
    signed_in: Any, rows: Any, from_home: None
) -> None:
    rows.agent("eu-1", address="10.0.0.1")
    rows.agent("eu-2", address="203.0.113.9")
    ask = {"networks": [{"network": "203.0.113.0/24"}]}
    refused = await signed_in("ada").put("/allowed-addresses", json=ask)
    assert (refused.status_code, refused.json()["detail"]["locked_out"]) == (409, ["eu-1"])
    answer = await signed_in("ada").put("/allowed-addresses", json=ask | {"force": True})
    assert answer.json()["locked_out"] == ["eu-1"]


@pytest.mark.parametrize("network", ["10.0.0", "10.1.2.3/8", "example.com", "10.0.0.0/33", "::/129"])
async def test_what_is_no_network_is_named(signed_in: Any, network: str) -> None:
    answer = await signed_in("ada").put("/allowed-addresses", json={"networks": [{"network": network}]})
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")
    assert network in answer.json()["message"]


async def test_every_change_is_written_down_here_and_in_airflows_audit_log(
    signed_in: Any, rows: Any, from_home: None
) -> None:
    admin = signed_in("ada")
    made = (await admin.post("/tokens", json={"name": "ci"})).json()
    rotated = (await admin.post(f"/tokens/{made['id']}/rotate", json={"reason": "yearly"})).json()
    await admin.put(
        "/allowed-addresses", json={"networks": [{"network": "203.0.113.0/24"}], "reason": "audit"}
    )
    agent_id = rows.agent()
    await signed_in("olga").post(f"/agents/{agent_id}/cordon", json={"reason": "disk"})
    events = (await admin.get("/events", params={"address": "203.0.113.7"})).json()["items"]
    assert [(one["action"], one["actor"], one["reason"]) for one in reversed(events)] == [
        ("token_created", "ada", ""),
        ("token_rotated", "ada", "yearly"),
        ("allowed_addresses_set", "ada", "audit"),
        ("agent_cordoned", "olga", "disk"),
    ]
    assert events[1]["detail"]["added"] == ["203.0.113.0/24"]
    lines = rows.read(select(Log).where(Log.event.startswith("tradewind_")).order_by(Log.id))[-4:]
    assert [(one.event, one.owner) for one in lines] == [
        ("tradewind_token_created", "ada"),
        ("tradewind_token_rotated", "ada"),
        ("tradewind_allowed_addresses_set", "ada"),
        ("tradewind_agent_cordoned", "olga"),
    ]
    assert json.loads(lines[-1].extra)["address"] == "203.0.113.7"
    written = str(events) + str([one.extra for one in lines])
    assert made["token"] not in written and rotated["token"] not in written


@pytest.mark.parametrize(
    "path", ["/tokens?name=", "/agents?name=", "/attempts?dag_id=", "/events?subject=", "/events?action="]
)
async def test_a_character_no_database_takes_is_refused_in_a_filter(signed_in: Any, path: str) -> None:
    answer = await signed_in("ada").get(path + "a%00b")
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


async def test_and_replaced_in_what_is_only_for_people(signed_in: Any) -> None:
    made = await signed_in("ada").post("/tokens", json={"name": "ci", "description": "a\x00b"})
    assert made.status_code == 201
    (token,) = (await signed_in("ada").get("/tokens")).json()["items"]
    assert token["description"] == "a\ufffdb"


async def test_you_are_told_where_you_come_from_and_how_many_tokens_there_may_be(
    signed_in: Any, from_home: None
) -> None:
    me = (await signed_in("vera").get("/me")).json()
    assert (me["address"], me["tokens_limit"]) == ("203.0.113.7", 50)
