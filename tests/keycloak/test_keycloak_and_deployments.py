"""Scenarios 6 and 26 with a real Keycloak: the way of a browser from a Deployment to Keycloak and back, and a Keycloak that hangs."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import pytest

from support import keycloak
from support.platform_parts import ensure_cluster
from tradewind_platform.clock import utc_now
from tradewind_platform.security.identity_providers import IdentityProviders

START = "/sign-in/with-identity-provider"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def query(address: str) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(address).query).items()}


def made(signs_in: Any, name: str) -> dict[str, Any]:
    """A Deployment that is known; no reconciler makes its processes."""
    platform = signs_in.api.platform
    with platform.store.transaction(signs_in.api.organization) as db:
        ensure_cluster(db, now=utc_now())
    answer = signs_in.api.owner.post("/v1/deployments", json={"name": name})
    assert answer.status_code < 300, answer.text
    found: dict[str, Any] = answer.json()
    return found


def opened(deployment: dict[str, Any], **other: str) -> str:
    """Where its Airflow sends a browser that is signed out: the state stands for the page that was asked for."""
    asked = {
        "response_type": "code",
        "client_id": deployment["id"],
        "redirect_uri": f"{deployment['people_url']}/auth/callback",
        "state": "the-deep-link",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return f"/oauth/authorize?{urlencode({**asked, **other})}"


def through_keycloak(signs_in: Any, browser: httpx.Client, address: str, name: str) -> str:
    """Where the platform sends the browser at the end, from an address that asks for a sign-in."""
    to_sign_in = browser.get(address).headers["location"]
    assert urlsplit(to_sign_in).path == "/sign-in"
    answer = keycloak.sign_in(browser, f"{START}?next={quote(query(to_sign_in)['next'], safe='')}", name)
    found = answer.headers["location"]
    assert found.startswith("/oauth/authorize?"), f"{answer.status_code} {answer.text}"
    return str(browser.get(found).headers["location"])


@pytest.fixture(scope="module")
def deployments(signs_in: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    signs_in.keycloak.add_user("ines", group="analysts")
    signs_in.set_up("ines", create_teams=True)
    signs_in.signed_in("ines")  # makes the team
    role = {"team": "analysts", "role": "workspace_author", "workspace": "default"}
    bound = signs_in.api.owner.post("/v1/role-bindings", json=role)
    assert bound.status_code == 201, bound.text
    yield made(signs_in, "sales"), made(signs_in, "research")


def test_scenario_6_a_deep_link_leads_through_keycloak_and_back_and_the_second_asks_nothing(
    signs_in: Any, deployments: Any
) -> None:
    sales, research = deployments
    browser = signs_in.browser()
    back = through_keycloak(signs_in, browser, opened(sales), "ines")
    assert back.startswith(f"{sales['people_url']}/auth/callback?code=")
    assert query(back)["state"] == "the-deep-link"
    # The second Deployment: straight back, by the session that is there.
    second = browser.get(opened(research)).headers["location"]
    assert second.startswith(f"{research['people_url']}/auth/callback?code=")


def test_scenario_6_a_person_without_a_role_is_told_so_and_nobody_is_sent_elsewhere(
    signs_in: Any, deployments: Any
) -> None:
    signs_in.keycloak.add_user("otto")
    browser = signs_in.browser()
    back = through_keycloak(signs_in, browser, opened(deployments[0]), "otto")
    assert query(back) == {"error": "access_denied", "state": "the-deep-link"}
    elsewhere = browser.get(opened(deployments[0], redirect_uri="https://evil.example/auth/callback"))
    assert elsewhere.status_code == 400 and "location" not in elsewhere.headers
    for next in ("//evil.example", "https://evil.example/", "/\\evil.example"):
        answer = keycloak.sign_in(signs_in.browser(), f"{START}?next={quote(next, safe='')}", "otto")
        assert answer.headers["location"] == "/", next


def test_scenario_6_a_terminal_is_signed_in_through_keycloak(signs_in: Any, deployments: Any) -> None:
    browser, here = signs_in.browser(), "http://127.0.0.1:43210/callback"
    asked = opened(deployments[0], client_id="tradewind-cli", redirect_uri=here)
    page = through_keycloak(signs_in, browser, asked, "ines")
    assert urlsplit(page).path == "/terminal-sign-in"
    body = {"allow": True, "redirect_uri": here, "state": "s", "code_challenge": CHALLENGE}
    code = query(browser.post("/oauth/authorize", json=body).json()["redirect_to"])["code"]
    form = {
        "grant_type": "authorization_code",
        "client_id": "tradewind-cli",
        "code": code,
        "redirect_uri": here,
        "code_verifier": VERIFIER,
    }
    token = httpx.post(f"{signs_in.url}/oauth/token", data=form).json()["access_token"]
    caller = signs_in.api.caller(token)
    assert [one["role"] for one in caller.get("/v1/me").json()["grants"]] == ["workspace_author"]
    user = next(one for one in signs_in.keycloak.api("GET", "/acme/users") if one["username"] == "ines")
    signs_in.keycloak.sign_out(user["id"])
    assert _ends(caller), "signed out at Keycloak, the terminal goes on"


def _ends(caller: Any) -> bool:
    """Within 5 seconds."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if caller.get("/v1/me").status_code == 403:
            return True
    return False


def test_scenario_26_while_keycloak_hangs_a_link_lets_an_owner_in_once(signs_in: Any) -> None:
    signs_in.keycloak.add_user("petra")
    signs_in.set_up("petra")
    app, platform = signs_in.api.app, signs_in.api.platform
    app.state.platform = replace(
        platform, providers=IdentityProviders(utc_now)
    )  # as one that was just started
    try:
        with signs_in.keycloak.hanging():
            browser = signs_in.browser()
            refused = browser.get(START)
            assert query(refused.headers["location"])["refused"] == "provider_unreachable"
            link = signs_in.api.break_glass("ada")
            assert browser.post("/welcome", json={"code": link}).status_code == 200
            assert browser.get("/v1/me").json()["break_glass"] is True
            again = signs_in.browser().post("/welcome", json={"code": link})
            assert (again.status_code, again.json()["error"]) == (403, "token_deleted")
    finally:
        app.state.platform = platform
    assert signs_in.signed_in("petra").get("/v1/me").json()["name"] == "petra"
