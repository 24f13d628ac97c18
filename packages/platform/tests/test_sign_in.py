"""People sign in with a browser: the first administrator, passwords, sessions and their end (scenarios 1 and 26)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from sqlalchemy import select

from support.platform_parts import PASSWORD, Api, Time, new_organization
from tradewind_platform.api.app import create_app
from tradewind_platform.api.authentication import signed_in
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.services import local_accounts, people
from tradewind_platform.services.sign_in_sessions import SignedIn
from tradewind_platform.store.base import Base
from tradewind_platform.store.people_tables import SignInLink
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import User
from tradewind_protocol.errors import Refused

OWNER = Binding(Role.ORGANIZATION_OWNER, ORGANIZATION)
AUDITOR = Binding(Role.ORGANIZATION_AUDITOR, ORGANIZATION)


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", "") if answer.content else ""


def first_link(api: Api) -> str:
    """A link as the first start prints it. This platform has a user already: such a link works without one."""
    with api.platform.store.transaction(api.organization) as db:
        return local_accounts.new_link(
            db, None, now=api.time.now, lifetime=local_accounts.FIRST_LINK_LIFETIME
        )


def break_glass_link(api: Api, name: str) -> str:
    with api.platform.store.transaction(api.organization) as db:
        return local_accounts.new_break_glass_link(db, name, now=api.time.now)


# ---- the first administrator


def test_scenario_1_the_link_of_the_first_start_makes_the_first_administrator_once(api: Api) -> None:
    code, browser = first_link(api), api.browser()
    about = browser.post("/welcome/link", json={"code": code}).json()
    assert about["kind"] == "first_administrator"
    ask = {"code": code, "name": "grace", "password": PASSWORD}
    assert browser.post("/welcome", json=ask).status_code == 200
    me = browser.get("/v1/me").json()
    assert (me["kind"], me["name"], me["break_glass"]) == ("user", "grace", False)
    assert [one["role"] for one in me["grants"]] == ["organization_owner"]
    assert "workspace.create" in me["grants"][0]["permissions"]
    again = api.browser().post("/welcome", json={**ask, "name": "mallory"})
    assert told(again) == (403, "token_deleted")
    assert told(api.browser().post("/sign-in", json={"name": "grace", "password": PASSWORD}))[0] == 200


def test_the_link_ends_after_a_day(api: Api, time: Time) -> None:
    code = first_link(api)
    time.pass_(hours=24)
    ask = {"code": code, "name": "grace", "password": PASSWORD}
    assert told(api.browser().post("/welcome", json=ask)) == (403, "token_expired")


def test_a_link_that_makes_the_first_administrator_stays_usable_until_name_and_password_fit(api: Api) -> None:
    code, browser = first_link(api), api.browser()
    assert told(browser.post("/welcome", json={"code": code})) == (422, "malformed")
    assert told(browser.post("/welcome", json={"code": code, "name": "grace", "password": "short"}))[0] == 422
    assert told(browser.post("/welcome", json={"code": code, "name": "ada", "password": PASSWORD}))[0] == 409
    assert browser.post("/welcome", json={"code": code, "name": "grace", "password": PASSWORD}).is_success


def test_a_link_is_printed_while_there_is_no_user_and_ends_the_one_before(store: Store, time: Time) -> None:
    organization = new_organization(store, "acme")
    codes = []
    for _ in range(2):
        with store.transaction(organization) as db:
            codes.append(local_accounts.new_first_link(db, now=time.now))
    assert None not in codes
    with pytest.raises(Refused, match="does not know this link"):
        local_accounts.link_of(store, str(codes[0]), now=time.now)
    assert local_accounts.link_of(store, str(codes[1]), now=time.now).user_id is None
    with store.transaction(organization) as db:
        people.create_owner(db, "ada", now=time.now)
    with store.transaction(organization) as db:
        assert local_accounts.new_first_link(db, now=time.now) is None


# ---- name and password


def test_a_person_signs_in_by_name_and_password_and_out(api: Api) -> None:
    browser = api.signed_in("grace", AUDITOR)
    me = browser.get("/v1/me").json()
    assert (me["kind"], me["name"], me["session"]["method"]) == ("user", "grace", "password")
    assert browser.get("/v1/workspaces").status_code == 200
    assert browser.post("/sign-out").json() == {"url": None}
    assert told(browser.get("/v1/me")) == (401, "token_missing")


def test_a_session_that_was_signed_out_opens_nothing_with_its_old_cookie(api: Api) -> None:
    browser = api.signed_in("grace", AUDITOR)
    cookie = browser.cookies["tw_session"]
    browser.post("/sign-out")
    stolen = api.browser()
    stolen.cookies.set("tw_session", cookie)
    assert told(stolen.get("/v1/me")) == (401, "session_expired")


@pytest.mark.parametrize(
    "ask",
    [
        {"name": "grace", "password": "wrong password"},
        {"name": "nobody", "password": PASSWORD},
        {"name": "ada", "password": PASSWORD},
        {"name": "gone", "password": PASSWORD},
    ],
    ids=["wrong password", "unknown name", "no password", "disabled"],
)
def test_each_wrong_sign_in_gets_the_same_answer_and_an_event(api: Api, ask: dict[str, str]) -> None:
    api.user("grace", password=PASSWORD)
    gone = api.user("gone", password=PASSWORD)
    with api.platform.store.transaction(api.organization) as db:
        db.get_one(User, gone).disabled_at = api.time.now
    answer = api.browser().post("/sign-in", json=ask)
    assert told(answer) == (403, "not_permitted")
    assert answer.json()["message"] == "there is no user with this name and password"
    event = api.events(action="session.begin")[0]
    assert (event["result"], event["actor_kind"]) == ("not_permitted", "nobody")
    assert event["target"] == ("user:?" if ask["name"] == "nobody" else f"user:{ask['name']}")


def test_a_name_that_is_tried_too_often_has_to_wait_even_for_the_right_password(api: Api, time: Time) -> None:
    api.user("grace", password=PASSWORD)
    browser = api.browser()
    for _ in range(5):
        assert told(browser.post("/sign-in", json={"name": "grace", "password": "wrong"}))[0] == 403
    right = {"name": "grace", "password": PASSWORD}
    refused = browser.post("/sign-in", json=right)
    assert told(refused) == (429, "rate_limited") and refused.json()["detail"]["retry_after"] == 300
    time.pass_(minutes=5)
    assert browser.post("/sign-in", json=right).status_code == 200


def test_a_person_changes_the_password_which_ends_the_other_sessions(api: Api) -> None:
    browser = api.signed_in("grace", AUDITOR)
    other = api.browser()
    other.post("/sign-in", json={"name": "grace", "password": PASSWORD})
    wrong = browser.post("/sign-in/password", json={"current": "no", "password": "another long one"})
    assert told(wrong) == (403, "not_permitted")
    ask = {"current": PASSWORD, "password": "another long one"}
    assert browser.post("/sign-in/password", json=ask).status_code == 204
    assert told(other.get("/v1/me")) == (401, "session_expired")
    assert browser.get("/v1/me").status_code == 200
    answer = api.browser().post("/sign-in", json={"name": "grace", "password": "another long one"})
    assert answer.status_code == 200


# ---- sessions


def test_a_session_is_over_after_an_hour_of_silence(api: Api, time: Time) -> None:
    browser = api.signed_in("grace", AUDITOR)
    time.pass_(minutes=59)
    assert browser.get("/v1/me").status_code == 200
    time.pass_(minutes=59)
    assert browser.get("/v1/me").status_code == 200
    time.pass_(minutes=60)
    assert told(browser.get("/v1/me")) == (401, "session_expired")


def test_a_session_is_over_after_twelve_hours_whatever_it_does(api: Api, time: Time) -> None:
    browser = api.signed_in("grace", AUDITOR)
    for _ in range(14):
        time.pass_(minutes=50)
        assert browser.get("/v1/me").status_code == 200
    time.pass_(minutes=20)
    assert told(browser.get("/v1/me")) == (401, "session_expired")


def test_a_disabled_user_is_out_at_once(api: Api) -> None:
    browser = api.signed_in("grace", AUDITOR)
    user = UUID(browser.get("/v1/me").json()["user"])
    with api.platform.store.transaction(api.organization) as db:
        db.get_one(User, user).disabled_at = api.time.now
    assert told(browser.get("/v1/me")) == (401, "session_expired")


def test_a_person_sees_and_ends_own_sessions_and_no_others(api: Api) -> None:
    first, other = api.signed_in("grace", AUDITOR), api.signed_in("linus", AUDITOR)
    second = api.browser()
    second.post("/sign-in", json={"name": "grace", "password": PASSWORD})
    listed = first.get("/v1/me/sessions").json()["items"]
    assert [one["current"] for one in listed] == [False, True]
    assert told(other.delete(f"/v1/me/sessions/{listed[0]['id']}")) == (404, "not_found")
    assert first.delete(f"/v1/me/sessions/{listed[0]['id']}").status_code == 204
    assert told(second.get("/v1/me")) == (401, "session_expired")
    second.post("/sign-in", json={"name": "grace", "password": PASSWORD})
    assert first.delete("/v1/me/sessions").status_code == 204
    assert told(second.get("/v1/me")) == (401, "session_expired")
    assert first.get("/v1/me").status_code == other.get("/v1/me").status_code == 200


def test_a_second_sign_in_of_a_browser_ends_the_session_that_it_had(api: Api) -> None:
    browser = api.signed_in("grace", AUDITOR)
    before = browser.cookies["tw_session"]
    browser.post("/sign-in", json={"name": "grace", "password": PASSWORD})
    stolen = api.browser()
    stolen.cookies.set("tw_session", before)
    assert told(stolen.get("/v1/me")) == (401, "session_expired")


def test_an_api_token_has_no_sessions(api: Api) -> None:
    caller = api.with_role(Role.ORGANIZATION_OWNER)
    assert caller.get("/v1/me/sessions").json()["total"] == 0
    assert told(caller.delete("/v1/me/sessions")) == (403, "not_permitted")


# ---- other sites' pages


@pytest.mark.parametrize("origin", [None, "https://evil.example.com", "null", "http://127.0.0.1:8701"])
def test_a_change_by_another_sites_page_is_refused(api: Api, origin: str | None) -> None:
    browser = api.signed_in("grace", OWNER)
    del browser.headers["Origin"]
    headers = {} if origin is None else {"Origin": origin}
    refused = browser.post("/v1/workspaces", json={"name": "x"}, headers=headers)
    assert told(refused) == (403, "not_permitted") and "own pages" in refused.json()["message"]
    assert told(browser.post("/sign-out", headers=headers)) == (403, "not_permitted")
    assert told(browser.post("/sign-in", json={"name": "a", "password": "b"}, headers=headers))[0] == 403
    assert browser.get("/v1/workspaces").json()["total"] == 1


def test_the_host_header_is_no_origin(api: Api) -> None:
    browser = api.signed_in("grace", OWNER)
    headers = {"Host": "evil.example.com", "Origin": "http://evil.example.com"}
    assert told(browser.post("/v1/workspaces", json={"name": "x"}, headers=headers)) == (403, "not_permitted")


def test_a_person_with_a_role_makes_a_change_and_the_event_has_their_name(api: Api) -> None:
    browser = api.signed_in("grace", OWNER)
    assert browser.post("/v1/workspaces", json={"name": "x"}).status_code == 201
    event = api.events(action="workspace.create")[0]
    assert (event["actor"], event["actor_kind"]) == ("grace", "user")


def test_with_tls_the_cookie_is_of_this_host_only(api: Api) -> None:
    secure = replace(api.platform, origin="https://platform.example.com")
    browser = TestClient(
        create_app(secure),
        base_url="https://platform.example.com",
        headers={"Origin": "https://platform.example.com"},
    )
    api.user("grace", AUDITOR, password=PASSWORD)
    answer = browser.post("/sign-in", json={"name": "grace", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-tw_session=")
    parts = {one.strip().lower() for one in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
    assert not [one for one in parts if one.startswith("domain")]
    assert browser.get("/v1/me").json()["name"] == "grace"
    without = TestClient(create_app(secure), base_url="https://platform.example.com")
    without.cookies.set("tw_session", browser.cookies["__Host-tw_session"])
    assert told(without.get("/v1/me")) == (401, "token_missing")


def test_a_route_beside_the_api_knows_who_is_signed_in(api: Api) -> None:
    found: list[SignedIn | None] = []

    @api.app.get("/who")
    def who(request: Request) -> None:
        found.append(signed_in(request))

    # Before the pages, which answer every path that no other route has.
    api.app.router.routes.insert(0, api.app.router.routes.pop())
    browser = api.signed_in("grace", AUDITOR)
    browser.get("/who")
    api.browser().get("/who")
    who_is_it, nobody = found
    assert nobody is None and who_is_it is not None
    assert (who_is_it.name, who_is_it.authenticated_at) == ("grace", api.time.now)


# ---- break-glass


def test_scenario_26_a_link_of_the_machine_signs_in_once_for_15_minutes_and_says_so(
    api: Api, time: Time
) -> None:
    code, browser = break_glass_link(api, "ada"), api.browser()
    about = browser.post("/welcome/link", json={"code": code}).json()
    assert (about["kind"], about["name"]) == ("break_glass", "ada")
    assert browser.post("/welcome", json={"code": code}).status_code == 200
    assert told(api.browser().post("/welcome", json={"code": code})) == (403, "token_deleted")
    me = browser.get("/v1/me").json()
    assert (me["kind"], me["name"], me["break_glass"]) == ("break_glass", "ada", True)
    assert browser.post("/v1/workspaces", json={"name": "x"}).status_code == 201
    events = [one for one in api.events() if one["actor_kind"] == "break_glass"]
    assert [(one["action"], one["actor"]) for one in events] == [
        ("workspace.create", "ada"),
        ("session.begin", "ada"),
    ]
    time.pass_(minutes=15)
    assert told(browser.get("/v1/me")) == (401, "session_expired")


def test_a_break_glass_link_ends_after_15_minutes(api: Api, time: Time) -> None:
    code = break_glass_link(api, "ada")
    time.pass_(minutes=15)
    assert told(api.browser().post("/welcome", json={"code": code})) == (403, "token_expired")
    assert api.events(action="session.begin")[0]["result"] == "token_expired"


def test_a_forgotten_password_is_set_in_a_break_glass_session(api: Api) -> None:
    browser = api.browser()
    browser.post("/welcome", json={"code": break_glass_link(api, "ada")})
    assert browser.post("/sign-in/password", json={"password": "a new long one"}).status_code == 204
    ask = {"name": "ada", "password": "a new long one"}
    assert api.browser().post("/sign-in", json=ask).status_code == 200


# ---- secrets


def test_no_password_no_code_and_no_cookie_is_in_a_table_or_an_answer(api: Api) -> None:
    code, browser = first_link(api), api.browser()
    browser.post("/welcome", json={"code": code, "name": "grace", "password": PASSWORD})
    with api.platform.store.across_organizations() as db:
        everything = repr(
            [tuple(row) for table in Base.metadata.tables.values() for row in db.execute(select(table))]
        )
        assert db.scalar(select(SignInLink.used_at)) is not None
    cookie = browser.cookies["tw_session"]
    answers = [browser.get(path).text for path in ("/v1/me", "/v1/me/sessions", "/v1/audit")]
    for secret in (PASSWORD, code, cookie):
        assert secret not in everything and not [one for one in answers if secret in one]
    assert "$argon2id$" in everything
