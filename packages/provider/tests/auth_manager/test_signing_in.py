"""The way of a browser through the platform and back into Airflow."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.testclient import TestClient

from tradewind_protocol.access import AccessUser, SignedIn

from .conftest import AIRFLOW, DEPLOYMENT, PLATFORM, Deployment, query

DEEP = f"{AIRFLOW}/dags/etl/runs?state=failed"


def _asked(answer: httpx.Response) -> dict[str, str]:
    """What the browser takes along to the platform."""
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(f"{PLATFORM}/oauth/authorize?")
    return query(answer.headers["location"])


def _code(
    deployment: Deployment, user: AccessUser, challenge: str, code: str = "code-1", **more: object
) -> str:
    """The platform lets that person in."""
    found: dict[str, object] = {
        "sub": user.id,
        "name": user.name,
        "sid": uuid4(),
        "session_ends_at": datetime.now(timezone.utc) + timedelta(hours=12),
        "access_revision": deployment.platform.document.revision,
        **more,
    }
    deployment.platform.codes[code] = (SignedIn.model_validate(found), challenge)
    return code


def _through(
    deployment: Deployment, browser: TestClient, user: AccessUser, next: str = DEEP
) -> httpx.Response:
    asked = _asked(browser.get("/auth/login", params={"next": next}))
    code = _code(deployment, user, asked["code_challenge"])
    return browser.get("/auth/callback", params={"state": asked["state"], "code": code})


def test_a_deep_link_is_reached_after_the_sign_in(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada", "OP")
    browser = deployment.browser()
    first = browser.get("/api/v2/auth/login", params={"next": DEEP})
    assert query(first.headers["location"])["next"] == DEEP
    answer = _through(deployment, browser, ada, query(first.headers["location"])["next"])
    assert (answer.status_code, answer.headers["location"]) == (302, DEEP)
    assert browser.get("/ui/auth/me").json()["username"] == "ada"
    assert browser.get("/api/v2/connections").status_code == 200


def test_one_who_may_use_the_operator_api_alone_does_not_sign_in_to_airflow(deployment: Deployment) -> None:
    eve = deployment.platform.person("eve", "LIMITED", permissions=("deployment.agentTokens.create",))
    answer = _through(deployment, deployment.browser(), eve)
    assert answer.status_code == 403 and "_token=ey" not in answer.headers.get("set-cookie", "")


def test_the_platform_is_asked_with_pkce_for_this_deployment(deployment: Deployment) -> None:
    asked = _asked(deployment.browser().get("/auth/login"))
    assert asked["client_id"] == str(DEPLOYMENT)
    assert asked["redirect_uri"] == f"{AIRFLOW}/auth/callback"
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert len(asked["state"]) >= 43 and len(asked["code_challenge"]) == 43


def test_the_cookie_is_airflows_own_and_holds_no_role(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada", "ADMIN")
    browser = deployment.browser()
    answer = _through(deployment, browser, ada)
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith("_token=ey"))
    assert "HttpOnly" in cookie and "Secure" in cookie and "SameSite=lax" in cookie and "Path=/;" in cookie
    claims = deployment.manager._get_token_validator().validated_claims(browser.cookies["_token"])
    assert set(claims) == {"sub", "name", "sid", "sid_exp", "jti", "aud", "iat", "nbf", "exp"}
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    "next",
    ["//evil.example.com", "https://evil.example.com/x", "javascript:alert(1)", "/\\evil.example.com"],
    ids=["two slashes", "another host", "a script", "a backslash"],
)
@pytest.mark.parametrize("path", ["/auth/login", "/api/v2/auth/login"])
def test_a_browser_is_not_led_elsewhere(deployment: Deployment, path: str, next: str) -> None:
    answer = deployment.browser().get(path, params={"next": next})
    assert answer.status_code == 400


def test_a_state_that_this_browser_did_not_begin_signs_nobody_in(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada", "ADMIN")
    asked = _asked(deployment.browser().get("/auth/login"))
    code = _code(deployment, ada, asked["code_challenge"])
    other = deployment.browser()
    other.get("/auth/login")
    answer = other.get("/auth/callback", params={"state": asked["state"], "code": code})
    assert answer.status_code == 400
    assert "did not begin in this browser" in answer.text
    assert "_token" not in other.cookies
    assert code in deployment.platform.codes, "the code was not even tried"


def test_a_code_is_good_once(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada", "ADMIN")
    browser = deployment.browser()
    asked = _asked(browser.get("/auth/login"))
    code = _code(deployment, ada, asked["code_challenge"])
    cookies = dict(browser.cookies)
    assert browser.get("/auth/callback", params={"state": asked["state"], "code": code}).status_code == 302
    replay = deployment.browser()
    replay.cookies.update(cookies)
    answer = replay.get("/auth/callback", params={"state": asked["state"], "code": code})
    assert answer.status_code == 400
    assert "_token" not in replay.cookies


def test_two_tabs_sign_in_side_by_side(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada")
    browser = deployment.browser()
    one = _asked(browser.get("/auth/login", params={"next": "/one"}))
    two = _asked(browser.get("/auth/login", params={"next": "/two"}))
    for asked, code, where in ((two, "c2", "/two"), (one, "c1", "/one")):
        _code(deployment, ada, asked["code_challenge"], code)
        answer = browser.get("/auth/callback", params={"state": asked["state"], "code": code})
        assert answer.headers["location"] == where


def test_a_person_without_a_role_is_told_whom_to_ask(deployment: Deployment) -> None:
    deployment.platform.change(contacts=("ada", "<b>bob</b>"))
    stranger = AccessUser(id=uuid4(), name="stranger", role="VIEWER")
    browser = deployment.browser()
    answer = _through(deployment, browser, stranger)
    assert answer.status_code == 403
    assert "no role in the Airflow of sales" in answer.text
    assert "Ask ada or &lt;b&gt;bob&lt;/b&gt; for one." in answer.text
    assert "_token" not in browser.cookies


def test_a_platform_that_denies_access_leads_to_the_same_page(deployment: Deployment) -> None:
    deployment.platform.change(contacts=("ada",))
    deployment.up_to_date()
    browser = deployment.browser()
    asked = _asked(browser.get("/auth/login"))
    answer = browser.get("/auth/callback", params={"state": asked["state"], "error": "access_denied"})
    assert answer.status_code == 403
    assert "Ask ada for one." in answer.text


def test_a_platform_that_is_away_is_named_as_the_cause(deployment: Deployment) -> None:
    browser = deployment.browser()
    asked = _asked(browser.get("/auth/login"))
    deployment.platform.away = True
    answer = browser.get("/auth/callback", params={"state": asked["state"], "code": "c"})
    assert answer.status_code == 503
    assert "platform does not answer" in answer.text


def test_signing_out_ends_every_token_of_the_sign_in_and_the_platforms_session(
    deployment: Deployment,
) -> None:
    ada = deployment.platform.person("ada", "OP")
    browser = deployment.browser()
    _through(deployment, browser, ada)
    token = browser.cookies["_token"]
    user_session = deployment.manager._get_token_validator().validated_claims(token)["sid"]
    earlier = deployment.token_of(ada, session=UUID(user_session))
    assert deployment.bearer(earlier).get("/api/v2/dags").status_code == 200

    core = browser.get("/api/v2/auth/logout")
    assert core.headers["location"] == "/auth/logout"
    answer = browser.get("/auth/logout")
    assert answer.headers["location"] == f"{PLATFORM}/sign-in?signed-out"
    assert [str(one) for one in deployment.platform.ended] == [user_session]
    assert "_token" not in browser.cookies
    for one in (token, earlier):
        assert deployment.bearer(one).get("/api/v2/dags").status_code == 403


def test_signing_out_works_while_the_platform_is_away(deployment: Deployment) -> None:
    ada = deployment.platform.person("ada", "OP")
    browser = deployment.browser()
    _through(deployment, browser, ada)
    token = browser.cookies["_token"]
    deployment.platform.away = True
    assert browser.get("/auth/logout").status_code == 302
    assert deployment.bearer(token).get("/api/v2/dags").status_code == 403


def test_the_menu_leads_back_to_the_platform(deployment: Deployment) -> None:
    menus = deployment.signed_in("VIEWER").get("/ui/auth/menus").json()
    assert menus["extra_menu_items"] == [{"text": "Back to platform", "href": PLATFORM}]
    assert "Connections" not in menus["authorized_menu_items"]
    assert "Audit Log" not in menus["authorized_menu_items"]
    assert "Dags" in menus["authorized_menu_items"]
