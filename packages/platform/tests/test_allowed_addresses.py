"""From where an organization's pages and API may be used."""

from __future__ import annotations

import asyncio
import re
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from support.http_client import Client
from support.platform_parts import QUICK, Api, Reconciled, Time
from tradewind_platform.api.address_check import is_open
from tradewind_platform.api.app import create_app
from tradewind_platform.api.context import Platform
from tradewind_platform.api.server import Server
from tradewind_platform.commands import platform as command
from tradewind_platform.domain.authentication_demands import SENSITIVE
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.home import PlatformSettings, opened
from tradewind_platform.services.allowed_addresses_cache import AllowedAddressesCache
from tradewind_platform.services.people import first_organization
from tradewind_platform.store.sessions import Store

HERE, ELSEWHERE = "203.0.113.7", "198.51.100.9"
OFFICE = "203.0.113.0/24"
URL = "/v1/organization/allowed-addresses"
OWNER = Binding(Role.ORGANIZATION_OWNER, ORGANIZATION)


def at(api: Api, address: str, **headers: str) -> TestClient:
    """The owner, with the API token, at that address."""
    sent = {"Authorization": str(api.owner.headers["Authorization"]), **headers}
    return Client(api.app, client=(address, 50000), headers=sent, raise_server_exceptions=False)


def put(api: Api, *networks: str, address: str = HERE, **headers: str) -> httpx.Response:
    ask = {"networks": [{"network": one} for one in networks]}
    return at(api, address).put(URL, json=ask, headers=headers)


def networks(api: Api, address: str = HERE) -> list[str]:
    return [one["network"] for one in at(api, address).get(URL).json()["networks"]]


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", "")


@pytest.fixture
def listed(api: Api) -> Api:
    """An organization that allows its office."""
    assert put(api, OFFICE).status_code == 200
    return api


# ---- who is let in


def test_without_a_list_any_address_is_allowed(api: Api) -> None:
    assert at(api, ELSEWHERE).get("/v1/me").status_code == 200
    found = at(api, ELSEWHERE).get(URL).json()
    assert (found["networks"], found["revision"], found["your_address"]) == ([], 0, ELSEWHERE)


@pytest.mark.parametrize(
    "address", [HERE, "::ffff:203.0.113.7", "2001:db8::7"], ids=["IPv4", "IPv4 in IPv6", "IPv6"]
)
def test_a_request_from_a_network_of_the_list_is_answered(api: Api, address: str) -> None:
    assert put(api, OFFICE, "2001:db8::/32").status_code == 200
    assert at(api, address).get("/v1/me").status_code == 200


def test_a_refused_caller_learns_the_address_and_whom_to_ask(listed: Api) -> None:
    answer = at(listed, ELSEWHERE).get("/v1/me")
    assert told(answer) == (403, "address_not_allowed")
    assert ELSEWHERE in answer.json()["message"] and "owner of the organization" in answer.json()["remedy"]
    assert answer.headers["X-Request-Id"]


def test_the_list_is_told_to_nobody_who_is_refused(listed: Api) -> None:
    assert "203.0.113" not in at(listed, ELSEWHERE).get("/v1/me").text


def test_an_address_that_is_none_is_refused(listed: Api) -> None:
    assert told(listed.owner.get("/v1/me")) == (403, "address_not_allowed")


def test_a_browser_is_answered_with_a_page(listed: Api) -> None:
    answer = at(listed, ELSEWHERE, Accept="text/html").get("/deployments")
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert ELSEWHERE in answer.text and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert at(listed, HERE, Accept="text/html").get("/deployments").status_code == 200


def test_an_identity_provider_that_pushes_is_refused_in_its_own_form(listed: Api) -> None:
    answer = at(listed, ELSEWHERE).get("/scim/v2/Users")
    assert answer.headers["Content-Type"] == "application/scim+json"
    assert answer.status_code == 403 and ELSEWHERE in answer.json()["detail"]


def test_a_session_is_refused_from_elsewhere_and_goes_on_here(listed: Api) -> None:
    listed.user("grace", OWNER, password="correct horse battery")
    headers = {"Origin": listed.platform.origin}
    browser = Client(listed.app, client=(HERE, 50000), headers=headers)
    ask = {"name": "grace", "password": "correct horse battery"}
    assert browser.post("/sign-in", json=ask).status_code == 200
    away = Client(listed.app, client=(ELSEWHERE, 50000), headers=headers)
    away.cookies.update(browser.cookies)
    assert told(away.get("/v1/me")) == (403, "address_not_allowed")
    assert told(away.post("/sign-in", json=ask)) == (403, "address_not_allowed")
    assert browser.get("/v1/me").status_code == 200


MACHINES = {
    "/healthz",
    "/readyz",
    "/oauth/token",
    "/sign-in/back-channel-logout",
    "/internal/v1/clusters/self/poll",
    "/internal/v1/clusters/self/steps/{step}/result",
    "/internal/v1/clusters/self/observations",
    "/internal/v1/deployments/{deployment}/access",
    "/internal/v1/deployments/{deployment}/token-uses",
    "/internal/v1/deployments/{deployment}/workload",
    "/internal/v1/deployments/{deployment}/sessions/end",
}
"""Controllers of clusters, API servers of Deployments, probes, and the identity provider that ends a session."""


def test_every_path_but_those_of_machines_is_refused_from_elsewhere(listed: Api) -> None:
    routes = [one for one in listed.app.routes if isinstance(one, APIRoute)]
    assert {one.path for one in routes if is_open(one.path)} == MACHINES
    caller, asked = at(listed, ELSEWHERE), 0
    for route in routes:
        path = re.sub(r"{[^}]*}", "x", route.path)
        for method in route.methods:
            answer = caller.request(method, path)
            is_refused = answer.status_code == 403 and ELSEWHERE in answer.text
            # An answer to HEAD has no body.
            is_refused = is_refused or (method == "HEAD" and answer.status_code == 403)
            assert is_refused is (route.path not in MACHINES), f"{method} {path}: {answer.status_code}"
            asked += 1
    assert asked > 100
    assert told(caller.get("/openapi.json")) == (403, "address_not_allowed")


def test_a_terminal_gets_its_token_at_an_allowed_address_only(listed: Api) -> None:
    """A Deployment asks at the same path."""
    form = {"grant_type": "authorization_code", "client_id": "tradewind-cli", "code": "x"}
    assert told(at(listed, ELSEWHERE).post("/oauth/token", data=form)) == (403, "address_not_allowed")
    assert told(at(listed, HERE).post("/oauth/token", data=form)) == (400, "invalid_grant")
    form["client_id"] = str(listed.organization)
    assert told(at(listed, ELSEWHERE).post("/oauth/token", data=form)) == (401, "invalid_client")


# ---- whose word on the address counts


async def test_a_stranger_cannot_claim_an_address_and_a_proxy_of_the_machine_can(
    reconciled: Reconciled,
) -> None:
    assert put(reconciled, OFFICE).status_code == 200
    server = Server(reconciled.app, reconciled.platform.access_watch, lifespan="off")
    headers = {"X-Forwarded-For": HERE, "Authorization": str(reconciled.owner.headers["Authorization"])}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/me"
        running = asyncio.create_task(server._serve(sockets=[listening]))
        answers = {}
        for source in ("127.0.0.1", "127.0.0.2"):
            way = httpx.AsyncHTTPTransport(local_address=source)
            async with httpx.AsyncClient(transport=way, timeout=30) as client:
                answers[source] = await client.get(url, headers=headers)
        server.end()
        await asyncio.wait_for(running, timeout=30)
    assert answers["127.0.0.1"].status_code == 200
    assert told(answers["127.0.0.2"]) == (403, "address_not_allowed")
    assert "127.0.0.2" in answers["127.0.0.2"].json()["message"]


# ---- changes of the list


@pytest.mark.parametrize(
    "wanted", [["198.51.100.0/24"], ["203.0.113.128/25", "198.51.100.0/24"], ["2001:db8::/32"]]
)
@pytest.mark.parametrize("first", [True, False], ids=["the first list", "a later one"])
def test_a_list_without_the_callers_own_address_is_refused(api: Api, wanted: list[str], first: bool) -> None:
    if not first:
        put(api, OFFICE, "198.51.100.0/24")
    before = networks(api)
    refused = put(api, *wanted)
    assert told(refused) == (409, "conflict")
    assert HERE in refused.json()["message"] and "platform allowed-ips clear" in refused.json()["remedy"]
    assert refused.json()["detail"]["your_address"] == HERE
    assert networks(api) == before
    assert api_events(api)[0]["result"] == "conflict"


def api_events(api: Api, **filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = at(api, HERE).get("/v1/audit", params=filters).json()["items"]
    return found


def test_a_list_is_emptied_from_anywhere_that_it_allows(listed: Api) -> None:
    assert put(listed).status_code == 200
    assert at(listed, ELSEWHERE).get("/v1/me").status_code == 200


def test_what_is_no_network_is_named(api: Api) -> None:
    refused = put(api, OFFICE, "10.1.2.3/8")
    assert told(refused) == (422, "malformed") and "10.1.2.3/8" in refused.json()["message"]
    assert networks(api) == []


def test_a_network_is_written_in_one_way_and_once(api: Api) -> None:
    put(api, f" {HERE} ", f"{HERE}/32", "2001:DB8::/32")
    assert networks(api) == [f"{HERE}/32", "2001:db8::/32"]


def test_a_change_has_its_event_with_what_came_and_what_went(listed: Api) -> None:
    ask = {"networks": [{"network": HERE, "description": "desk"}]}
    answer = at(listed, HERE).put(URL, json=ask, params={"reason": "moved"})
    assert answer.headers["ETag"] == '"2"' and answer.json()["changed_by"] == "token:ada"
    event = api_events(listed)[0]
    assert (event["action"], event["target"], event["result"], event["reason"], event["address"]) == (
        "allowedAddresses.update",
        "organization:allowed-addresses",
        "done",
        "moved",
        HERE,
    )
    assert event["changes"] == {"added": [f"{HERE}/32"], "removed": [OFFICE]}
    assert event["action"] in SENSITIVE


def test_the_same_list_again_changes_nothing(listed: Api) -> None:
    assert put(listed, OFFICE).json()["revision"] == 1
    assert put(listed, OFFICE, HERE).json()["revision"] == 2


def test_of_two_changes_to_one_revision_one_is_refused(api: Api) -> None:
    assert at(api, HERE).get(URL).headers["ETag"] == '"0"'
    assert put(api, OFFICE, **{"If-Match": '"0"'}).status_code == 200
    assert put(api, HERE, **{"If-Match": '"0"'}).status_code == 412
    assert put(api, HERE, **{"If-Match": '"1"'}).status_code == 200


def test_who_may_not_change_the_organization_may_not_change_its_list(listed: Api) -> None:
    asked = {"name": "auditor", "role": "organization_auditor"}
    token = at(listed, HERE).post("/v1/api-tokens", json=asked).json()["token"]
    auditor = at(listed, HERE, Authorization=f"Bearer {token}")
    assert auditor.get(URL).json()["networks"][0]["network"] == OFFICE
    assert told(auditor.put(URL, json={"networks": []})) == (403, "not_permitted")


# ---- the list in memory


def test_a_change_by_another_process_counts_a_second_later(api: Api, time: Time) -> None:
    another = replace(api.platform)  # with nothing of the first one in memory
    caller = Client(create_app(another), client=(ELSEWHERE, 50000), headers=api.owner.headers)
    assert caller.get("/v1/me").status_code == 200
    put(api, OFFICE)
    assert at(api, ELSEWHERE).get("/v1/me").status_code == 403, "in the process of the change: at once"
    time.pass_(seconds=1)
    assert caller.get("/v1/me").status_code == 403


def test_a_request_takes_no_look_at_the_list(listed: Api) -> None:
    at(listed, ELSEWHERE).get("/v1/me")
    with listed.statements() as statements:
        for _ in range(3):
            assert at(listed, ELSEWHERE).get("/v1/me").status_code == 403
    assert statements == []


def test_a_list_is_not_believed_longer_when_the_clock_was_set_back(store: Store, time: Time) -> None:
    first_organization(store, "acme", now=time.now)
    cache = AllowedAddressesCache(store, time)
    read = cache.read()
    assert cache.known() is read
    time.pass_(hours=-1)
    assert cache.known() is None


def test_what_was_read_while_the_list_changed_is_not_kept(store: Store, time: Time) -> None:
    first_organization(store, "acme", now=time.now)

    class Meanwhile(Store):
        """The list is changed between the look and its answer."""

        def looking(self) -> Any:
            cache.forget()
            return super().looking()

    cache = AllowedAddressesCache(Meanwhile(store.engine), time)
    cache.read()
    assert cache.known() is None


# ---- the audit trail


def refusals(api: Api) -> list[dict[str, Any]]:
    return api_events(api, action="organization.access", limit="1000")


def test_a_refused_address_is_in_the_audit_trail_once_in_five_minutes(listed: Api, time: Time) -> None:
    token = str(listed.owner.headers["Authorization"]).removeprefix("Bearer ")
    for _ in range(3):
        at(listed, ELSEWHERE).get("/v1/me")
    (event,) = refusals(listed)
    assert (event["actor"], event["result"], event["address"]) == ("nobody", "address_not_allowed", ELSEWHERE)
    assert event["changes"] == {"token": token[:11]} and len(token) > 40
    time.pass_(minutes=5)
    at(listed, ELSEWHERE, Authorization="Bearer nonsense").get("/v1/me")
    assert [one["changes"] for one in refusals(listed)] == [{}, event["changes"]]


def test_many_strangers_fill_no_audit_trail(listed: Api) -> None:
    for number in range(60):
        at(listed, f"198.51.100.{number}").get("/v1/me")
    assert len(refusals(listed)) == 50


def test_the_addresses_of_one_site_count_as_one(listed: Api) -> None:
    for number in range(1, 4):
        at(listed, f"2001:db8:1:1::{number}").get("/v1/me")
    assert len(refusals(listed)) == 1


# ---- at the machine


def test_the_machines_command_lets_everybody_in_while_the_platform_runs(tmp_path: Path, time: Time) -> None:
    home = tmp_path / "home"
    with opened(PlatformSettings(home)) as (store, ring):
        organization = first_organization(store, "acme", now=time.now)
        api = Api(Platform(store, ring, time, passwords=QUICK), organization, time)
        put(api, OFFICE)
        assert at(api, ELSEWHERE).get("/v1/me").status_code == 403

        def run(*arguments: str) -> Any:
            done = CliRunner().invoke(command, ["allowed-ips", *arguments, "--home", str(home)])
            assert done.exit_code == 0, done.output
            return done

        assert run("list").stdout.split() == [OFFICE]
        assert "allowed now" in run("clear", "--reason", "moved house").stderr
        time.pass_(seconds=1)
        assert at(api, ELSEWHERE).get("/v1/me").status_code == 200
        event = next(one for one in api.events() if one["action"] == "allowedAddresses.update")
        assert (event["actor"], event["reason"]) == ("system", "moved house")
        assert event["changes"] == {"added": [], "removed": [OFFICE]}
        assert "already" in run("clear").stderr and run("list").stdout == ""
