"""Scenario 5 with a real Keycloak: code and PKCE, TOTP in the realm, groups, refresh, and sign-out there.

What these tests see of Keycloak is what the provider of the fast tests does, too (support/identity_provider.py).
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from sqlalchemy import select

from support import keycloak
from tradewind_platform.clock import utc_now
from tradewind_platform.store.sso_tables import SessionRefresh

START = "/sign-in/with-identity-provider"
AUDITOR = {"team": "engineers", "role": "organization_auditor"}
SECONDS = 5
"""In which a person who was signed out at Keycloak is out of the platform."""


def roles(browser: httpx.Client) -> list[str]:
    return [one["role"] for one in browser.get("/v1/me").json()["grants"]]


def refused(answer: httpx.Response) -> str:
    return parse_qs(urlsplit(answer.headers["location"]).query)["refused"][0]


def make_due(signs_in: Any) -> None:
    """The refresh of every session is due now."""
    platform = signs_in.api.platform
    with platform.store.transaction(signs_in.api.organization) as db:
        for row in db.scalars(select(SessionRefresh)):
            row.due_at = utc_now()


def test_scenario_5_a_person_signs_in_with_totp_and_a_group_gives_the_role(signs_in: Any) -> None:
    user = signs_in.keycloak.add_user("grace", group="engineers")
    signs_in.set_up("grace", create_teams=True, required_amr=["otp"])
    test = signs_in.api.owner.get("/v1/organization/sign-in").json()["active"]["test"]
    assert test["groups"] == ["engineers"] and set(test["claims"]["amr"]) == {"pwd", "otp"}
    browser = signs_in.signed_in("grace")
    assert browser.get("/v1/me").json()["session"]["method"] == "identity_provider"
    assert roles(browser) == []
    bound = signs_in.api.owner.post("/v1/role-bindings", json=AUDITOR)
    assert bound.status_code == 201, bound.text
    assert roles(browser) == ["organization_auditor"]

    # What changes at Keycloak bites at the next refresh.
    signs_in.keycloak.move_to_group(user, "operators")
    make_due(signs_in)
    assert signs_in.refresher().refresh_due() == 1
    assert roles(browser) == []
    assert browser.get("/v1/me").status_code == 200

    # A disabled person is out at the next refresh.
    signs_in.keycloak.disable(user)
    make_due(signs_in)
    signs_in.refresher().refresh_due()
    assert browser.get("/v1/me").json()["error"] == "session_expired"


def test_scenario_5_without_a_second_factor_nobody_comes_in_where_one_is_demanded(signs_in: Any) -> None:
    signs_in.keycloak.add_user("with-totp")
    signs_in.keycloak.add_user("without-totp", totp=False)
    signs_in.set_up("with-totp", required_amr=["otp"])
    answer = keycloak.sign_in(signs_in.browser(), START, "without-totp", totp=False)
    assert refused(answer) == "demands_unmet"
    event = signs_in.api.events(action="session.begin")[0]
    assert event["result"] == "not_permitted" and "otp" in event["changes"]["detail"]


def test_scenario_5_who_is_signed_out_at_keycloak_is_out_of_the_platform_in_seconds(signs_in: Any) -> None:
    user = signs_in.keycloak.add_user("linus", group="engineers")
    signs_in.set_up("linus")
    first, second = signs_in.signed_in("linus"), signs_in.signed_in("linus")
    signs_in.keycloak.disable(user)
    began = time.monotonic()
    signs_in.keycloak.sign_out(user)
    while any(one.get("/v1/me").status_code == 200 for one in (first, second)):
        assert time.monotonic() - began < SECONDS
    print(f"out after {time.monotonic() - began:.2f} s")
    assert first.get("/v1/me").json()["error"] == "session_expired"
    events = signs_in.api.events(action="session.end")
    assert sum(one["changes"].get("sessions_ended", 0) for one in events) >= 2


def test_scenario_5_a_token_with_300_roles_signs_in(signs_in: Any) -> None:
    user = signs_in.keycloak.add_user("many")
    signs_in.keycloak.give_roles(user, 300)
    signs_in.set_up("many", groups_claim="realm_roles", groups_filter="^role-")
    browser = signs_in.signed_in("many")
    assert browser.get("/v1/me").json()["name"] == "many"
    test = signs_in.api.owner.get("/v1/organization/sign-in").json()["active"]["test"]
    assert len(test["groups"]) == 300


def test_a_code_is_good_once_and_for_its_own_browser_at_keycloak_too(signs_in: Any) -> None:
    signs_in.keycloak.add_user("henry")
    signs_in.set_up("henry")
    browser = signs_in.browser()
    answer = keycloak.sign_in(browser, START, "henry")
    callback = str(answer.request.url)
    assert browser.get("/v1/me").json()["name"] == "henry"
    assert refused(signs_in.browser().get(callback)) == "state_unknown"
    signed_out = browser.post("/sign-out").json()["url"]
    assert signed_out.startswith(signs_in.keycloak.issuer)
    assert browser.get(signed_out).status_code == 200
