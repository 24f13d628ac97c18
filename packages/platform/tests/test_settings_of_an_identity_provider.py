"""The settings of the identity provider: a draft is tested before it is used, and its secrets are kept."""

from __future__ import annotations

from sqlalchemy import select

from support.identity_provider import CLIENT_SECRET
from support.sign_in_with_provider import Sso, status_and_error
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.store.base import Base
from tradewind_platform.store.sessions import Store


def test_settings_are_used_after_a_test_sign_in_with_them_and_not_before(sso: Sso) -> None:
    owner = sso.api.owner
    put = owner.put("/v1/organization/sign-in", json=sso.settings(create_teams=True))
    assert put.status_code == 200 and put.json()["active"] is None
    assert status_and_error(owner.post("/v1/organization/sign-in/activate")) == (409, "conflict")
    sso.test()
    test = owner.get("/v1/organization/sign-in").json()["draft"]["test"]
    assert test["claims"]["preferred_username"] == "grace"
    assert (test["groups"], test["teams"], test["refused"]) == (["engineers"], ["engineers"], "")
    owner.put("/v1/organization/sign-in", json=sso.settings(allowed_groups=["others"]))
    assert status_and_error(owner.post("/v1/organization/sign-in/activate")) == (409, "conflict")
    sso.test()
    refused_test = owner.post("/v1/organization/sign-in/activate")
    assert (
        status_and_error(refused_test) == (409, "conflict")
        and "not_in_allowed_group" in refused_test.json()["message"]
    )
    assert "grace" not in {one["name"] for one in owner.get("/v1/users").json()["items"]}


def test_after_a_test_the_browser_is_told_where_the_result_is(sso: Sso) -> None:
    sso.api.owner.put("/v1/organization/sign-in", json=sso.settings())
    page = sso.api.browser().get("/sign-in/tested")
    assert page.status_code == 200 and "tradewind sign-in get" in page.text


def test_a_draft_is_tested_by_a_signed_in_owner_only(sso: Sso) -> None:
    sso.api.owner.put("/v1/organization/sign-in", json=sso.settings())
    auditor = sso.api.signed_in("linus", Binding(Role.ORGANIZATION_AUDITOR, ORGANIZATION))
    for browser in (auditor, sso.api.browser()):
        answer = browser.get(
            "/sign-in/with-identity-provider", params={"test": "true"}, follow_redirects=False
        )
        assert status_and_error(answer) == (403, "not_permitted")


def test_the_client_secret_is_kept_and_goes_to_no_other_provider(sso: Sso) -> None:
    sso.set_up()
    without = {name: one for name, one in sso.settings().items() if name != "client_secret"}
    kept = sso.api.owner.put("/v1/organization/sign-in", json=without)
    assert kept.status_code == 200 and kept.json()["draft"]["has_client_secret"] is True
    other = sso.api.owner.put(
        "/v1/organization/sign-in", json={**without, "issuer": "https://evil.example.com"}
    )
    assert status_and_error(other) == (422, "malformed")


def test_turning_it_off_ends_the_sessions_that_were_begun_there(sso: Sso) -> None:
    sso.set_up()
    browser = sso.signed_in()
    assert sso.api.owner.delete("/v1/organization/sign-in").status_code == 204
    assert status_and_error(browser.get("/v1/me")) == (401, "session_expired")
    assert [one["kind"] for one in browser.get("/sign-in/options").json()["methods"]] == ["password"]


def test_scenario_18_no_secret_of_the_sign_in_is_in_a_table_or_an_answer(sso: Sso, store: Store) -> None:
    sso.set_up()
    browser = sso.signed_in()
    with store.across_organizations() as db:
        everything = repr(
            [tuple(row) for table in Base.metadata.tables.values() for row in db.execute(select(table))]
        )
    answers = [
        sso.api.owner.get(path).text for path in ("/v1/organization/sign-in", "/v1/audit", "/v1/users")
    ]
    secrets = [CLIENT_SECRET, *sso.provider.refresh_tokens, browser.cookies["tw_session"]]
    for secret in secrets:
        assert secret not in everything and not [one for one in answers if secret in one]
