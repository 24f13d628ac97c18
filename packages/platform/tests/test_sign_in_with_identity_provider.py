"""People sign in at the identity provider: code, PKCE, nonce and groups (scenarios 5 and 6)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from support.identity_provider import FakeIdentityProvider, Person
from support.platform_parts import PASSWORD, Time
from support.sign_in_with_provider import Sso, roles_of, status_and_error, why_refused
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.services import local_accounts

# ---- the way through


def test_a_person_signs_in_at_the_identity_provider_and_is_back_where_they_wanted_to_go(sso: Sso) -> None:
    sso.set_up()
    browser = sso.api.browser()
    options = browser.get("/sign-in/options").json()["methods"]
    assert (options[0]["kind"], options[0]["label"]) == ("identity_provider", "Acme ID")
    answer = sso.through(browser, next="/deployments/sales?tab=agents")
    assert answer.headers["location"] == "/deployments/sales?tab=agents"
    me = browser.get("/v1/me").json()
    assert (me["kind"], me["name"], me["session"]["method"]) == ("user", "grace", "identity_provider")
    asked = sso.provider.asked[-1]
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["redirect_uri"] == "http://127.0.0.1:8700/sign-in/callback"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3


@pytest.mark.parametrize(
    "next",
    [
        "//evil.example.com",
        "https://evil.example.com/",
        "/\\evil.example.com",
        "javascript:alert(1)",
        "/\t/evil",
    ],
    ids=["two slashes", "another site", "a backslash", "a script", "a tab"],
)
def test_scenario_6_no_address_of_another_site_is_gone_to_after_sign_in(sso: Sso, next: str) -> None:
    sso.set_up()
    assert sso.through(sso.api.browser(), next=next).headers["location"] == "/"


def test_two_tabs_sign_in_at_the_same_time(sso: Sso) -> None:
    sso.set_up()
    browser = sso.api.browser()
    first, second = sso.leave(browser, next="/first"), sso.leave(browser, next="/second")
    back = [browser.get(sso.at_provider(one), follow_redirects=False) for one in (second, first)]
    assert [one.headers["location"] for one in back] == ["/second", "/first"]
    assert browser.get("/v1/me").json()["name"] == "grace"


def test_scenario_6_a_state_of_another_browser_signs_nobody_in(sso: Sso) -> None:
    sso.set_up()
    back = sso.at_provider(sso.leave(sso.api.browser()))
    victim = sso.api.browser()
    assert why_refused(victim.get(back, follow_redirects=False)) == "state_unknown"
    sso.leave(victim)  # a cookie of another attempt is not that of this one
    assert why_refused(victim.get(back, follow_redirects=False)) == "state_unknown"
    assert status_and_error(victim.get("/v1/me"))[0] == 401


def test_scenario_6_a_code_is_good_once(sso: Sso) -> None:
    sso.set_up()
    browser = sso.api.browser()
    back = sso.at_provider(sso.leave(browser))
    cookies = dict(browser.cookies)
    assert browser.get(back, follow_redirects=False).headers["location"] == "/"
    again = sso.api.browser()
    again.cookies.update(cookies)
    assert why_refused(again.get(back, follow_redirects=False)) == "state_expired"


def test_an_attempt_ends_after_ten_minutes(sso: Sso, time: Time) -> None:
    sso.set_up()
    browser = sso.api.browser()
    back = sso.at_provider(sso.leave(browser))
    time.pass_(minutes=10)
    assert why_refused(browser.get(back, follow_redirects=False)) == "state_expired"


def test_scenario_6_the_redirect_uri_is_of_the_configuration_and_not_of_the_request(sso: Sso) -> None:
    sso.set_up()
    browser = sso.api.browser()
    answer = browser.get(
        "/sign-in/with-identity-provider", headers={"Host": "evil.example.com"}, follow_redirects=False
    )
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["redirect_uri"] == ["http://127.0.0.1:8700/sign-in/callback"]


# ---- answers and tokens that are not right


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"iss": "https://evil.example.com"},
        {"aud": "another-client"},
        {"aud": ["tradewind", "another"], "azp": "another"},
        {"exp": 1},
        {"iat": 99999999999},
        {"sub": None},
        {"answer_iss": "https://evil.example.com"},
    ],
    ids=["nonce", "no nonce", "issuer", "audience", "party", "expired", "future", "no subject", "mixed up"],
)
def test_a_token_that_is_not_for_this_sign_in_is_refused(sso: Sso, wrong: dict[str, Any]) -> None:
    sso.set_up()
    sso.provider.wrong = wrong
    browser = sso.api.browser()
    assert why_refused(sso.through(browser)) == "token_not_valid"
    assert status_and_error(browser.get("/v1/me"))[0] == 401
    event = sso.api.events(action="session.begin")[0]
    assert (event["result"], event["changes"]["why"]) == ("not_permitted", "token_not_valid")


@pytest.mark.parametrize("kind", ["another key", "shared secret"])
def test_a_token_that_the_provider_did_not_sign_is_refused(sso: Sso, kind: str) -> None:
    sso.set_up()
    if kind == "shared secret":
        sso.provider.algorithm = "HS256"
    else:
        forged, real = sso.provider.new_key(), sso.provider.keys[0]
        sso.provider.signed = (  # type: ignore[method-assign]
            lambda claims, typ="JWT", key=None: FakeIdentityProvider.signed(
                sso.provider, claims, typ=typ, key=forged
            )
        )
        assert real.kid != forged.kid
    try:
        assert why_refused(sso.through(sso.api.browser())) == "token_not_valid"
    finally:
        sso.provider.__dict__.pop("signed", None)


def test_a_key_that_the_provider_has_rotated_to_is_fetched(sso: Sso, time: Time) -> None:
    sso.set_up()
    sso.signed_in()
    sso.provider.keys.insert(0, sso.provider.new_key())
    time.pass_(seconds=6)
    sso.signed_in()


def test_a_person_whom_the_provider_refuses_sees_why(sso: Sso) -> None:
    sso.set_up()
    assert sso.provider.person is not None
    sso.provider.person.enabled = False
    assert why_refused(sso.through(sso.api.browser())) == "provider_refused"
    sentences = {one["reason"]: one for one in sso.api.browser().get("/sign-in/refusals").json()}
    assert sentences["provider_refused"]["message"] and sentences["provider_refused"]["remedy"]


def test_scenario_26_while_the_provider_is_down_a_link_lets_an_owner_in(sso: Sso, time: Time) -> None:
    sso.set_up()
    sso.provider.down = True
    time.pass_(minutes=11)
    browser = sso.api.browser()
    answer = browser.get("/sign-in/with-identity-provider", follow_redirects=False)
    assert why_refused(answer) == "provider_unreachable"
    with sso.api.platform.store.transaction(sso.api.organization) as db:
        code = local_accounts.new_break_glass_link(db, "ada", now=time.now)
    assert browser.post("/welcome", json={"code": code}).status_code == 200
    assert browser.get("/v1/me").json()["break_glass"] is True
    assert status_and_error(sso.api.browser().post("/welcome", json={"code": code})) == (403, "token_deleted")


# ---- who comes in, and with which roles


def test_an_identity_is_the_issuer_and_the_subject_and_never_a_name(sso: Sso) -> None:
    sso.api.user("grace", Binding(Role.ORGANIZATION_OWNER, ORGANIZATION), password=PASSWORD)
    sso.set_up()
    browser = sso.signed_in()
    assert browser.get("/v1/me").json()["name"] == "grace-2" and roles_of(browser) == []
    first = browser.get("/v1/me").json()["user"]
    assert sso.provider.person is not None
    sso.provider.person.username = "renamed"
    assert sso.signed_in().get("/v1/me").json()["user"] == first
    sso.provider.person = Person("another-subject", "grace")
    assert sso.signed_in().get("/v1/me").json()["name"] == "grace-3"


def test_scenario_5_a_group_is_a_team_and_a_team_has_roles(sso: Sso) -> None:
    sso.set_up(group_teams=[{"group": "engineers", "teams": ["data", "ml"]}], create_teams=True)
    browser = sso.signed_in()
    assert roles_of(browser) == []
    bound = sso.api.owner.post(
        "/v1/role-bindings", json={"team": "data", "role": "workspace_author", "workspace": "default"}
    )
    assert bound.status_code == 201, bound.text
    assert roles_of(browser) == ["workspace_author"]
    explained = sso.api.owner.get("/v1/access/grace", params={"workspace": "default"}).json()
    assert [(one["team"], one["role"], one["scope"]) for one in explained["paths"]] == [
        ("data", "workspace_author", "workspace default")
    ]
    assert browser.get("/v1/workspaces/default").status_code == 200


def test_a_group_that_only_has_the_name_of_a_team_of_people_does_not_open_it(sso: Sso) -> None:
    sso.api.owner.post("/v1/teams", json={"name": "engineers"})
    sso.api.owner.post("/v1/role-bindings", json={"team": "engineers", "role": "organization_owner"})
    sso.set_up(create_teams=True)
    assert roles_of(sso.signed_in()) == []


def test_only_members_of_allowed_groups_come_in(sso: Sso) -> None:
    sso.set_up(allowed_groups=["engineers", "operators"])
    sso.signed_in()
    sso.provider.person = Person("other", "linus", groups=["sales"])
    assert why_refused(sso.through(sso.api.browser())) == "not_in_allowed_group"
    assert [
        one["name"] for one in sso.api.owner.get("/v1/users").json()["items"] if one["name"] == "linus"
    ] == []


def test_a_filter_leaves_groups_out_and_a_claim_is_found_in_objects(sso: Sso) -> None:
    sso.set_up(groups_claim="realm_access.roles", groups_filter="^tw-", create_teams=True)
    assert sso.provider.person is not None
    sso.provider.person.more = {"realm_access": {"roles": ["tw-ops", "office"]}}
    sso.signed_in()
    assert [one["name"] for one in sso.api.owner.get("/v1/teams").json()["items"]] == ["tw-ops"]


def test_groups_that_came_as_a_reference_are_told_of(sso: Sso) -> None:
    sso.set_up()
    assert sso.provider.person is not None
    sso.provider.person.more = {"_claim_names": {"groups": "src1"}, "groups": None}
    assert why_refused(sso.through(sso.api.browser())) == "groups_unavailable"


def test_scenario_5_a_token_with_300_roles_signs_in(sso: Sso) -> None:
    sso.set_up(create_teams=False)
    assert sso.provider.person is not None
    sso.provider.person.groups = [f"role-{number}-of-a-company-with-long-names" for number in range(300)]
    answer = sso.through(browser := sso.api.browser())
    assert answer.headers["location"] == "/" and browser.get("/v1/me").status_code == 200
    assert len(answer.headers["set-cookie"]) < 1000


@pytest.mark.parametrize(
    ("settings", "claims", "comes_in"),
    [
        ({"required_acr": ["gold"], "acr_values": "gold"}, {"acr": "gold"}, True),
        ({"required_acr": ["gold"]}, {"acr": "1"}, False),
        ({"required_acr": ["gold"]}, {}, False),
        ({"required_amr": ["otp", "hwk"]}, {"amr": ["pwd", "otp"]}, True),
        ({"required_amr": ["otp"]}, {"amr": ["pwd"]}, False),
        ({"required_amr": ["otp"]}, {}, False),
    ],
    ids=["acr", "lower acr", "no acr", "amr", "another amr", "no amr"],
)
def test_an_organization_demands_a_second_factor(
    sso: Sso, settings: dict[str, Any], claims: dict[str, Any], comes_in: bool
) -> None:
    assert sso.provider.person is not None
    sso.provider.person.more = {"acr": "gold", "amr": ["otp"]}
    sso.set_up(**settings)
    sso.provider.person.more = claims
    answer = sso.through(sso.api.browser())
    if comes_in:
        assert answer.headers["location"] == "/"
    else:
        assert why_refused(answer) == "demands_unmet"
    assert sso.provider.asked[-1].get("acr_values") == settings.get("acr_values")


def test_a_sensitive_change_needs_a_recent_sign_in(sso: Sso, time: Time) -> None:
    sso.set_up(sign_in_again_minutes=15, create_teams=True)
    browser = sso.signed_in()
    sso.api.owner.post("/v1/role-bindings", json={"team": "engineers", "role": "organization_owner"})
    ask = {"name": "ci", "role": "organization_auditor"}
    time.pass_(minutes=16)
    answer = browser.post("/v1/api-tokens", json=ask)
    assert status_and_error(answer) == (403, "not_permitted")
    again = answer.json()["detail"]["sign_in_again"]
    assert browser.post("/v1/workspaces", json={"name": "x"}).status_code == 201
    sso.provider.signed_in_at = (time.now).timestamp() - 1000  # the provider did not ask the person anew
    assert why_refused(sso.through(browser, again="true")) == "token_not_valid"
    sso.provider.signed_in_at = None
    assert again == "/sign-in/with-identity-provider?again=true"
    assert sso.through(browser, again="true").headers["location"] == "/"
    assert sso.provider.asked[-1]["max_age"] == "1"
    assert browser.post("/v1/api-tokens", json=ask).status_code == 201


def test_an_invite_gives_its_role_once_to_a_verified_address(sso: Sso, time: Time) -> None:
    sso.set_up()
    ask = {"email": "Grace@example.com", "role": "workspace_owner", "workspace": "default"}
    assert sso.api.owner.post("/v1/invites", json=ask).status_code == 201
    sso.provider.person = Person("m", "mallory", more={"email": "grace@example.com", "email_verified": False})
    assert roles_of(sso.signed_in()) == []
    sso.provider.person = Person("g", "grace", more={"email": "grace@example.com", "email_verified": True})
    assert roles_of(sso.signed_in()) == ["workspace_owner"]
    sso.provider.person = Person("h", "harry", more={"email": "grace@example.com", "email_verified": True})
    assert roles_of(sso.signed_in()) == []
    [invite] = sso.api.owner.get("/v1/invites").json()["items"]
    assert (invite["status"], invite["accepted_by"]) == ("accepted", "grace")
