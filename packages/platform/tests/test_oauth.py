"""The platform as the OAuth provider of its Deployments: who gets a code, and what a code is good for."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.testclient import TestClient

from support.platform_parts import Reconciled
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.services import deployment_credentials, secrets

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
OWNER = Binding(Role.ORGANIZATION_OWNER, ORGANIZATION)


def _asked(deployment: dict[str, Any], **other: str) -> dict[str, str]:
    return {
        "response_type": "code",
        "client_id": deployment["id"],
        "redirect_uri": f"{deployment['people_url']}/auth/callback",
        "state": "s-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **other,
    }


def _authorize(browser: TestClient, deployment: dict[str, Any], **other: str) -> httpx.Response:
    return browser.get("/oauth/authorize", params=_asked(deployment, **other), follow_redirects=False)


def _code(browser: TestClient, deployment: dict[str, Any]) -> str:
    answer = _authorize(browser, deployment)
    assert answer.status_code == 302, answer.text
    return _query(answer)["code"]


def _query(answer: httpx.Response) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def _credential(reconciled: Reconciled, deployment: dict[str, Any]) -> str:
    with reconciled.platform.store.reading(reconciled.organization) as db:
        return secrets.of(db, reconciled.platform.ring, UUID(deployment["id"]))[deployment_credentials.SECRET]


def _exchange(
    reconciled: Reconciled,
    deployment: dict[str, Any],
    code: str,
    *,
    by: dict[str, Any] | None = None,
    **other: str,
) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": deployment["id"],
        "redirect_uri": f"{deployment['people_url']}/auth/callback",
        "code_verifier": VERIFIER,
        **other,
    }
    return reconciled.caller(_credential(reconciled, by or deployment)).post("/oauth/token", data=form)


def test_a_person_with_a_role_comes_back_with_a_code_without_a_prompt(reconciled: Reconciled) -> None:
    sales, ops = reconciled.created("sales"), reconciled.created("ops")
    browser = reconciled.signed_in("bea", OWNER)
    for deployment in (sales, ops):
        answer = _authorize(browser, deployment)
        assert answer.status_code == 302
        assert answer.headers["location"].startswith(f"{deployment['people_url']}/auth/callback?")
        assert answer.headers["cache-control"] == "no-store"
        assert set(_query(answer)) == {"code", "state"} and _query(answer)["state"] == "s-1"
        who = _exchange(reconciled, deployment, _query(answer)["code"])
        assert who.status_code == 200, who.text
        assert who.json()["name"] == "bea"
        assert set(who.json()) == {"sub", "name", "sid", "session_ends_at", "access_revision"}


def test_a_person_who_is_not_signed_in_signs_in_first_and_comes_back(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    answer = _authorize(reconciled.browser(), sales)
    where = urlsplit(answer.headers["location"])
    assert (answer.status_code, where.netloc, where.path) == (302, "", "/sign-in")
    next = parse_qs(where.query)["next"][0]
    browser = reconciled.signed_in("bea", OWNER)
    assert "code" in _query(browser.get(next, follow_redirects=False))


def test_a_person_without_a_role_is_sent_back_without_a_code(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    answer = _authorize(reconciled.signed_in("mia", Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION)), sales)
    assert _query(answer) == {"error": "access_denied", "state": "s-1"}
    (event,) = reconciled.events(action="deployment.signIn")
    assert (event["actor"], event["result"]) == ("mia", "not_permitted")


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example.com/auth/callback",
        "{people}/auth/callback/",
        "{people}/auth/callback?x=1",
        "{people}/auth/../auth/callback",
        "{people}.evil.example.com/auth/callback",
        "{other}/auth/callback",
        "",
    ],
    ids=["another host", "a slash more", "a query", "dots", "a longer name", "another Deployment", "none"],
)
def test_a_browser_is_never_sent_to_another_address(reconciled: Reconciled, uri: str) -> None:
    sales, ops = reconciled.created("sales"), reconciled.created("ops")
    browser = reconciled.signed_in("bea", OWNER)
    asked = uri.format(people=sales["people_url"], other=ops["people_url"])
    answer = _authorize(browser, sales, redirect_uri=asked)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("client", ["", "sales", str(uuid4())], ids=["none", "a name", "an unknown id"])
def test_an_unknown_client_is_sent_nowhere(reconciled: Reconciled, client: str) -> None:
    sales = reconciled.created("sales")
    answer = _authorize(reconciled.signed_in("bea", OWNER), sales, client_id=client)
    assert answer.status_code == 400 and "location" not in answer.headers


@pytest.mark.parametrize(
    "other",
    [
        {"code_challenge_method": "plain"},
        {"code_challenge_method": ""},
        {"code_challenge": ""},
        {"code_challenge": "short"},
        {"response_type": "token"},
        {"state": ""},
    ],
    ids=["plain", "no method", "no challenge", "a short challenge", "implicit", "no state"],
)
def test_a_flow_without_pkce_or_state_gets_no_code(reconciled: Reconciled, other: dict[str, str]) -> None:
    sales = reconciled.created("sales")
    answer = _authorize(reconciled.signed_in("bea", OWNER), sales, **other)
    assert _query(answer)["error"] == "invalid_request"


def test_a_code_is_good_once_and_its_second_use_is_in_the_audit_trail(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    code = _code(reconciled.signed_in("bea", OWNER), sales)
    assert _exchange(reconciled, sales, code).status_code == 200
    again = _exchange(reconciled, sales, code)
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})
    event = reconciled.events(action="deployment.signIn")[0]
    assert (event["actor"], event["result"]) == ("deployment:sales", "invalid_grant")
    assert "used already" in event["reason"] and code not in str(event)


def test_a_code_is_good_for_a_minute(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    browser = reconciled.signed_in("bea", OWNER)
    early, late = _code(browser, sales), _code(browser, sales)
    reconciled.time.pass_(seconds=59)
    assert _exchange(reconciled, sales, early).status_code == 200
    reconciled.time.pass_(seconds=1)
    assert _exchange(reconciled, sales, late).status_code == 400


def test_a_code_is_the_deployments_own(reconciled: Reconciled) -> None:
    sales, ops = reconciled.created("sales"), reconciled.created("ops")
    code = _code(reconciled.signed_in("bea", OWNER), sales)
    assert _exchange(reconciled, ops, code).status_code == 400
    foreign = _exchange(reconciled, sales, code, by=ops)
    assert (foreign.status_code, foreign.json()) == (401, {"error": "invalid_client"})
    assert _exchange(reconciled, sales, code).status_code == 200, "none of this has used it"


@pytest.mark.parametrize(
    ("other", "error"),
    [
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"code_verifier": ""}, "invalid_grant"),
        ({"redirect_uri": "https://evil.example.com"}, "invalid_grant"),
        ({"code": "x" * 43}, "invalid_grant"),
        ({"grant_type": "password"}, "invalid_request"),
        ({"client_id": ""}, "invalid_request"),
    ],
    ids=["another verifier", "no verifier", "another address", "another code", "another grant", "no client"],
)
def test_an_exchange_that_does_not_fit_is_refused(
    reconciled: Reconciled, other: dict[str, str], error: str
) -> None:
    sales = reconciled.created("sales")
    code = _code(reconciled.signed_in("bea", OWNER), sales)
    answer = _exchange(reconciled, sales, **{"code": code, **other})
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_a_code_dies_with_its_session(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    browser = reconciled.signed_in("bea", OWNER)
    code = _code(browser, sales)
    browser.post("/sign-out")
    assert _exchange(reconciled, sales, code).status_code == 400


def test_signing_out_at_a_deployment_ends_the_session_on_the_platform(reconciled: Reconciled) -> None:
    sales, ops = reconciled.created("sales"), reconciled.created("ops")
    browser = reconciled.signed_in("bea", OWNER)
    session = _exchange(reconciled, sales, _code(browser, sales)).json()["sid"]
    assert browser.get("/v1/me").status_code == 200

    def end(deployment: dict[str, Any], id: str) -> int:
        caller = reconciled.caller(_credential(reconciled, deployment))
        return caller.post(
            f"/internal/v1/deployments/{deployment['id']}/sessions/end", json={"session": id}
        ).status_code

    assert end(ops, session) == 404, "nobody signed in there with it"
    assert end(sales, str(uuid4())) == 404
    assert browser.get("/v1/me").status_code == 200
    assert end(sales, session) == 204
    assert browser.get("/v1/me").status_code == 401
    assert "code" not in _query(_authorize(browser, ops))


def test_a_deleted_deployment_signs_nobody_in(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    browser = reconciled.signed_in("bea", OWNER)
    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    assert _authorize(browser, sales).status_code == 400


def test_a_code_is_in_no_table_in_clear(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    code = _code(reconciled.signed_in("bea", OWNER), sales)
    with reconciled.platform.store.engine.connect() as connection:
        for table in ("authorization_code", "audit_event"):
            assert code not in str(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
