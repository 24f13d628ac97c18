"""A session that was begun at the identity provider is refreshed there, and ends when it ends there (scenario 5)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from sqlalchemy import select

from support.platform_parts import Time
from support.sign_in_with_provider import Sso, roles_of, status_and_error
from tradewind_platform.security import at_rest
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services.session_refreshes import Refresher
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.sso_tables import SessionRefresh

SUBJECT = "subject-of-grace"


@pytest.fixture
def refresher(sso: Sso) -> Refresher:
    platform = sso.api.platform
    return Refresher(
        platform.store, platform.ring, platform.providers, origin=platform.origin, clock=platform.clock
    )


def test_scenario_5_a_change_of_groups_bites_at_the_next_refresh(
    sso: Sso, refresher: Refresher, time: Time
) -> None:
    sso.set_up(create_teams=True)
    browser = sso.signed_in()
    ask = {"team": "engineers", "role": "organization_auditor"}
    assert sso.api.owner.post("/v1/role-bindings", json=ask).status_code == 201
    assert roles_of(browser) == ["organization_auditor"]
    assert sso.provider.person is not None
    sso.provider.person.groups = ["sales"]
    time.pass_(minutes=9)
    assert refresher.refresh_due() == 0 and roles_of(browser) == ["organization_auditor"]
    time.pass_(minutes=1)
    assert refresher.refresh_due() == 1 and roles_of(browser) == []
    event = sso.api.events(action="user.groups")[0]
    assert event["changes"] == {"added": ["sales"], "removed": ["engineers"]}
    for _ in range(3):  # the token that each refresh gives is the one for the next
        time.pass_(minutes=10)
        assert refresher.refresh_due() == 1
    assert browser.get("/v1/me").status_code == 200


def test_scenario_5_a_disabled_user_is_out_at_the_next_refresh(
    sso: Sso, refresher: Refresher, time: Time
) -> None:
    sso.set_up()
    browser = sso.signed_in()
    assert sso.provider.person is not None
    sso.provider.person.enabled = False
    time.pass_(minutes=10)
    refresher.refresh_due()
    assert status_and_error(browser.get("/v1/me")) == (401, "session_expired")
    assert "User disabled" in sso.api.events(action="session.end")[0]["changes"]["why"]


def test_a_provider_that_is_down_signs_nobody_out(sso: Sso, refresher: Refresher, time: Time) -> None:
    sso.set_up()
    browser = sso.signed_in()
    sso.provider.down = True
    time.pass_(minutes=10)
    refresher.refresh_due()
    assert browser.get("/v1/me").status_code == 200
    sso.provider.down = False
    time.pass_(minutes=1)
    assert refresher.refresh_due() == 1
    assert browser.get("/v1/me").status_code == 200


def test_scenario_19_keys_are_rotated_and_the_next_refresh_works(
    sso: Sso, refresher: Refresher, store: Store, ring: KeyRing, time: Time
) -> None:
    sso.set_up()
    browser = sso.signed_in()
    at_rest.check_keys(store, ring, now=time.now)
    old = ring.ids[0]
    at_rest.rotate(store, ring, now=time.now)
    at_rest.remove_key(store, ring, old)
    time.pass_(minutes=10)
    assert refresher.refresh_due() == 1
    assert browser.get("/v1/me").status_code == 200
    with store.reading_all() as db:
        assert isinstance(db.scalars(select(SessionRefresh.id)).first(), UUID)


# ---- logout


def test_scenario_5_a_back_channel_logout_ends_one_session_or_all_of_a_person(sso: Sso) -> None:
    sso.set_up()
    first, second, third = sso.signed_in(), sso.signed_in(), sso.signed_in()
    sids = [one["sid"] for one in sso.provider.refresh_tokens.values()]
    logout = "/sign-in/back-channel-logout"
    token = sso.provider.logout_token(sid=sids[-1], sub=SUBJECT)
    answer = sso.api.app and sso.api.caller(None).post(logout, data={"logout_token": token})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert status_and_error(third.get("/v1/me")) == (401, "session_expired")
    assert first.get("/v1/me").status_code == second.get("/v1/me").status_code == 200
    token = sso.provider.logout_token(sub=SUBJECT)
    assert sso.api.caller(None).post(logout, data={"logout_token": token}).status_code == 200
    assert (
        status_and_error(first.get("/v1/me"))
        == status_and_error(second.get("/v1/me"))
        == (401, "session_expired")
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": {}},
        {"events": None},
        {"nonce": "n"},
        {"sub": None},
        {"aud": "another"},
        {"iss": "https://evil.example.com"},
        {"iat": 1},
        {"jti": None},
    ],
    ids=["other event", "no event", "an ID token", "nobody", "audience", "issuer", "old", "no id"],
)
def test_a_logout_token_that_is_not_right_ends_nothing(sso: Sso, wrong: dict[str, Any]) -> None:
    sso.set_up()
    browser = sso.signed_in()
    token = sso.provider.logout_token(**{"sub": SUBJECT, **wrong})
    answer = sso.api.caller(None).post("/sign-in/back-channel-logout", data={"logout_token": token})
    assert answer.status_code == 400
    assert browser.get("/v1/me").status_code == 200


def test_a_logout_token_that_is_sent_again_ends_no_later_session(sso: Sso, time: Time) -> None:
    sso.set_up()
    token = sso.provider.logout_token(sub=SUBJECT)
    time.pass_(seconds=70)
    browser = sso.signed_in()
    data = {"logout_token": token}
    assert sso.api.caller(None).post("/sign-in/back-channel-logout", data=data).status_code == 200
    assert browser.get("/v1/me").status_code == 200


def test_sign_out_leads_to_the_providers_own_end_of_the_session(sso: Sso) -> None:
    sso.set_up()
    url = urlsplit(sso.signed_in().post("/sign-out").json()["url"])
    assert url.path == "/end"
    assert parse_qs(url.query)["post_logout_redirect_uri"] == ["http://127.0.0.1:8700/"]
