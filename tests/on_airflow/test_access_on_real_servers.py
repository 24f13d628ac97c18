"""Tokens, addresses and host names on two real API servers, as a running agent and a proxy in front see them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.airflow_rest import eventually
from support.installed import agent_settings, plane_settings
from tradewind.embedded.agent import Agent
from tradewind.embedded.plane import Plane
from tradewind_protocol import ids


@dataclass
class Site:
    plane: Plane
    http: httpx.Client
    agent: Agent
    token_id: str

    def session(self) -> dict[str, Any]:
        """The agent as the plane sees it."""
        found = self.http.get("/tradewind/v1/agents", params={"name": "here"}).json()["items"]
        return dict(found[0]) if found else {}

    def state(self) -> str:
        return str(self.session().get("state"))

    def replace_token(self, value: str) -> None:
        fresh = self.agent.home / "token.new"
        fresh.write_text(value)
        fresh.chmod(0o600)
        os.replace(fresh, self.agent.home / "token")

    def logged(self, action: str) -> bool:
        return f'"{action}"' in self.agent.process.log.read_text()

    def sign_in(self, port: int, **headers: str) -> httpx.Response:
        """Ask an API server for a session, without any token."""
        url = f"http://127.0.0.1:{port}/remote-execution/v1/sessions"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(url, json={}, headers=named, timeout=30)

    def refused_everywhere(self) -> bool:
        answers = [self.sign_in(port) for port in self.plane.ports]
        return all(one.status_code == 403 and one.json()["error"] == "address_not_allowed" for one in answers)


@pytest.fixture(scope="module")
def site(directory: Path, database_server: Any) -> Iterator[Site]:
    settings = plane_settings(
        home=directory / "access",
        api_servers=2,
        schedulers=0,
        database=database_server.new_database() if database_server else None,
        options={
            "tradewind": {
                "poll_seconds": "4",
                "sweep_seconds": "1",
                "agent_hosts": "*.external.example.com",
                "trusted_proxies": "127.0.0.0/8",
            }
        },
    )
    with Plane(settings) as plane, plane.client() as http:
        made = http.post("/tradewind/v1/tokens", json={"name": "here"}).json()
        ours = agent_settings(
            home=directory / "access-site",
            plane_url=plane.url,
            token=made["token"],
            name="here",
            components=["worker"],
        )
        with Agent(ours) as agent:
            found = Site(plane, http, agent, made["id"])
            eventually(lambda: found.state() == "healthy", timeout=90, what="the agent is healthy")
            yield found


@pytest.mark.timeout(420)
def test_a_token_is_rotated_under_a_running_agent_that_loses_neither_session_nor_heartbeat(
    site: Site,
) -> None:
    before = site.session()
    answer = site.http.post(f"/tradewind/v1/tokens/{site.token_id}/rotate", json={"overlap_hours": 20 / 3600})
    assert answer.status_code == 200, answer.text
    good_until = time.monotonic() + 20
    site.replace_token(answer.json()["token"])
    oldest = 0.0
    while time.monotonic() < good_until + 6:
        seen = site.session()
        assert (seen["session_id"], seen["state"]) == (before["session_id"], "healthy")
        oldest = max(oldest, seen["beat_age"])
        time.sleep(0.5)
    assert oldest < 2 * 4
    assert site.agent.process.running
    assert site.logged("token_changed")


def test_a_list_of_addresses_holds_on_every_api_server_within_five_seconds(site: Site) -> None:
    url = "/tradewind/v1/allowed-addresses"
    elsewhere = {"networks": [{"network": "192.0.2.0/24"}]}
    assert site.http.put(url, json=elsewhere).status_code == 409
    assert site.http.put(url, json={**elsewhere, "force": True, "reason": "test"}).status_code == 200
    eventually(site.refused_everywhere, timeout=5, what="both API servers refuse this address")
    # a trusted proxy names somebody who is on the list: on to the next question, which is the token
    through = site.sign_in(site.plane.ports[0], X_Forwarded_For="6.6.6.6, 192.0.2.7")
    assert (through.status_code, through.json()["error"]) != (403, "address_not_allowed")
    eventually(lambda: site.logged("address_refused"), timeout=60, what="the agent says so in its log")
    assert site.agent.process.running
    page = site.http.get("/tradewind/v1/events", params={"action": "agent_refused"}).json()
    assert {"address_not_allowed"} == {one["detail"]["code"] for one in page["items"]}
    assert site.http.put(url, json={"networks": [], "reason": "over"}).status_code == 200
    admitted = datetime.now(timezone.utc).isoformat()
    # it asks a refused address's question once a minute
    eventually(
        lambda: site.session().get("last_beat_at", "") > admitted,
        timeout=120,
        what="the agent is back by itself",
    )
    assert site.state() == "healthy"
    history = site.http.get("/tradewind/v1/events", params={"subject": "deployment:allowed-addresses"}).json()
    assert [(one["actor"], one["address"], one["reason"]) for one in history["items"]] == [
        ("admin", "127.0.0.1", "over"),
        ("admin", "127.0.0.1", "test"),
    ]
    lines = site.http.get("/api/v2/eventLogs", params={"event": "tradewind_allowed_addresses_set"}).json()
    assert [one["owner"] for one in lines["event_logs"]] == ["admin", "admin"]
    assert json.loads(lines["event_logs"][0]["extra"])["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    "path", ["/", "/api/v2/version", "/tradewind/v1/me", "/auth/login/", "/execution/health"]
)
def test_a_name_for_agents_has_nothing_for_people(site: Site, path: str) -> None:
    here = {"Host": "k3.external.example.com"}
    for port in site.plane.ports:
        answer = httpx.get(f"http://127.0.0.1:{port}{path}", headers=here, timeout=30)
        assert (answer.status_code, answer.text) == (404, "404 page not found")
        assert answer.headers["content-type"].startswith("text/plain")
    assert httpx.get(f"{site.plane.url}/healthz", headers=here, timeout=30).text == "ok"
    refusal = site.sign_in(site.plane.ports[0], Host="k3.external.example.com")
    assert refusal.json()["error"] in ("token_missing", "malformed")


def test_an_agent_with_another_deployments_token_says_so_and_ends(site: Site, directory: Path) -> None:
    value = ids.new_secret(ids.AGENT_TOKEN_PREFIX, mark="elsewher")
    stranger = agent_settings(
        home=directory / "stranger",
        plane_url=site.plane.url,
        token=value,
        name="stranger",
        components=["worker"],
    )
    with Agent(stranger) as agent:
        assert agent.process.wait(60) == 3
    said = agent.process.tail()
    assert "wrong_deployment" in said and "correct plane_url" in said
    assert value not in said
    page = site.http.get("/tradewind/v1/events", params={"subject": f"token:{ids.shown(value)}"}).json()
    assert [one["detail"]["code"] for one in page["items"]] == ["wrong_deployment"]


def test_deleting_the_token_ends_the_agent_within_seconds(site: Site) -> None:
    began = time.monotonic()
    deleted = site.http.delete(f"/tradewind/v1/tokens/{site.token_id}", params={"reason": "leaked"})
    assert deleted.status_code == 204
    assert site.agent.process.wait(40) == 3
    assert time.monotonic() - began < 20
    said = site.agent.process.tail()
    assert "token_deleted" in said
    assert site.state() == "offline"
