"""Terminals that a browser signs in: who is asked, where a code goes, and how long its token is good."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from click.testing import CliRunner, Result
from fastapi.testclient import TestClient

from support.platform_parts import PASSWORD, Reconciled, Time
from tradewind.cli import main
from tradewind.commands import session as session_options
from tradewind.commands.session import Session
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role, Target
from tradewind_platform.services import local_accounts
from tradewind_platform.services.access import AccessDocuments

OWNER = Binding(Role.ORGANIZATION_OWNER, ORGANIZATION)
VERIFIER = "v" * 64
CHALLENGE = "w1TpKUdYE9hUAcNSeeSRFioHDxfUxuHho_JHAfZ_vDM"  # S256 of the verifier
HERE = "http://127.0.0.1:43210/callback"


def asked(**other: str) -> dict[str, str]:
    return {
        "client_id": "tradewind-cli",
        "response_type": "code",
        "redirect_uri": HERE,
        "state": "s-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "machine": "laptop",
        **other,
    }


def authorize(browser: TestClient, **other: str) -> httpx.Response:
    return browser.get("/oauth/authorize", params=asked(**other), follow_redirects=False)


def decide(browser: TestClient, **other: Any) -> httpx.Response:
    body = {
        "allow": True,
        "redirect_uri": HERE,
        "state": "s-1",
        "code_challenge": CHALLENGE,
        "machine": "laptop",
    }
    return browser.post("/oauth/authorize", json={**body, **other})


def query(address: str) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(address).query).items()}


def code(browser: TestClient) -> str:
    answer = decide(browser)
    assert answer.status_code == 200, answer.text
    return query(answer.json()["redirect_to"])["code"]


def redeem(reconciled: Reconciled, code: str, **other: str) -> httpx.Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": "tradewind-cli",
        "code": code,
        "redirect_uri": HERE,
        "code_verifier": VERIFIER,
        **other,
    }
    return reconciled.caller(None).post("/oauth/token", data=form)


def token(reconciled: Reconciled, browser: TestClient) -> str:
    answer = redeem(reconciled, code(browser))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


# ---- the way to a code


def test_somebody_who_is_signed_out_signs_in_first_and_is_asked_then(reconciled: Reconciled) -> None:
    answer = authorize(reconciled.browser())
    to = urlsplit(answer.headers["location"])
    assert to.path == "/sign-in" and query(answer.headers["location"])["next"].startswith("/oauth/authorize?")
    answer = authorize(reconciled.signed_in("bea"))
    assert urlsplit(answer.headers["location"]).path == "/terminal-sign-in"
    found = query(answer.headers["location"])
    assert found == {"redirect_uri": HERE, "state": "s-1", "code_challenge": CHALLENGE, "machine": "laptop"}


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://127.0.0.1:43210/other",
        "http://127.0.0.1:43210/callback?x=1",
        "http://127.0.0.1:43210/callback#x",
        "http://127.0.0.1/callback",
        "http://127.0.0.1:0/callback",
        "http://127.0.0.1:70000/callback",
        "https://127.0.0.1:43210/callback",
        "http://localhost:43210/callback",
        "http://127.0.0.1.evil.example:43210/callback",
        "http://evil.example:43210/callback",
        "http://127.0.0.1:43210@evil.example/callback",
        "http://127.0.0.2:43210/callback",
        "http://[::2]:43210/callback",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_code_goes_to_this_machine_only(reconciled: Reconciled, elsewhere: str) -> None:
    browser = reconciled.signed_in("bea")
    refused = authorize(browser, redirect_uri=elsewhere)
    assert refused.status_code == 400 and "location" not in refused.headers
    decided = decide(browser, redirect_uri=elsewhere)
    assert decided.status_code == 422 and "redirect_to" not in decided.text
    # A refusal leads there as little as a code.
    assert decide(browser, redirect_uri=elsewhere, allow=False).status_code == 422


@pytest.mark.parametrize(
    "here", ["http://127.0.0.1:1/callback", "http://[::1]:65535/callback"], ids=["v4", "v6"]
)
def test_any_port_of_a_loopback_address_is_taken(reconciled: Reconciled, here: str) -> None:
    browser = reconciled.signed_in("bea")
    assert authorize(browser, redirect_uri=here).status_code == 302
    assert decide(browser, redirect_uri=here).json()["redirect_to"].startswith(f"{here}?code=")


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_challenge_method": "plain"},
        {"code_challenge": "short"},
        {"response_type": "token"},
        {"state": ""},
    ],
    ids=["plain", "no_challenge", "implicit", "no_state"],
)
def test_a_request_without_pkce_or_state_is_refused(reconciled: Reconciled, wrong: dict[str, str]) -> None:
    refused = authorize(reconciled.signed_in("bea"), **wrong)
    assert refused.status_code == 400 and "location" not in refused.headers


def test_only_the_platforms_own_page_says_yes(reconciled: Reconciled) -> None:
    browser = reconciled.signed_in("bea")
    body = {"allow": True, "redirect_uri": HERE, "state": "s-1", "code_challenge": CHALLENGE}
    other = browser.post("/oauth/authorize", json=body, headers={"Origin": "https://evil.example"})
    assert other.status_code == 403
    assert decide(reconciled.browser()).status_code == 401  # nobody is signed in there
    assert decide(reconciled.owner).status_code == 403  # an API token is nobody's browser


def test_a_person_who_refuses_is_sent_back_without_a_code(reconciled: Reconciled) -> None:
    to = decide(reconciled.signed_in("bea"), allow=False).json()["redirect_to"]
    assert query(to) == {"error": "access_denied", "state": "s-1"}
    event = reconciled.events(action="terminal.signIn")[0]
    assert (event["actor"], event["target"], event["changes"]) == (
        "bea",
        "terminal:laptop",
        {"allowed": False},
    )


# ---- the code, and its token


def test_a_code_gives_a_token_that_may_what_the_person_may_at_the_moment(reconciled: Reconciled) -> None:
    made = reconciled.created()
    sales = UUID(made["id"])
    target = Target(UUID(made["workspace"]), sales)
    browser = reconciled.signed_in("bea", Binding(Role.DEPLOYMENT_ADMIN, target))
    caller = reconciled.caller(token(reconciled, browser))
    me = caller.get("/v1/me").json()
    assert (me["name"], [one["role"] for one in me["grants"]]) == ("token:bea@laptop", ["deployment_admin"])
    assert [one["name"] for one in caller.get("/v1/deployments").json()["items"]] == ["sales"]
    assert [one["name"] for one in caller.get("/v1/workspaces").json()["items"]] == ["default"]
    document = AccessDocuments(reconciled.platform.store, reconciled.platform.clock).of(
        reconciled.organization, sales
    )
    assert [(one.name, one.role) for one in document.tokens if "bea" in one.name] == [
        ("token:bea@laptop", "ADMIN")
    ]
    binding = {"user": "bea", "role": "organization_auditor"}
    assert reconciled.owner.post("/v1/role-bindings", json=binding).status_code == 201
    assert len(caller.get("/v1/me").json()["grants"]) == 2
    assert reconciled.owner.patch("/v1/users/bea", json={"disabled": True}).status_code == 200
    assert caller.get("/v1/me").status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": "w" * 64},
        {"code_verifier": ""},
        {"redirect_uri": "http://127.0.0.1:43211/callback"},
        {"code": "other"},
        {"grant_type": "password"},
    ],
    ids=["verifier", "no_verifier", "redirect_uri", "code", "grant"],
)
def test_a_code_is_worth_nothing_without_what_belongs_to_it(
    reconciled: Reconciled, wrong: dict[str, str]
) -> None:
    given = code(reconciled.signed_in("bea"))
    refused = redeem(reconciled, **{"code": given, **wrong})
    assert refused.status_code == 400 and "access_token" not in refused.text
    assert redeem(reconciled, given).status_code == 200  # it was not used up


def test_a_code_that_is_used_twice_ends_the_token_that_it_gave(reconciled: Reconciled) -> None:
    given = code(reconciled.signed_in("bea", OWNER))
    value = redeem(reconciled, given).json()["access_token"]
    assert reconciled.caller(value).get("/v1/me").status_code == 200
    assert redeem(reconciled, given).json() == {"error": "invalid_grant"}
    assert reconciled.caller(value).get("/v1/me").status_code == 403
    assert reconciled.events(action="terminal.signIn")[0]["result"] == "invalid_grant"


def test_a_code_is_good_for_a_minute(reconciled: Reconciled, time: Time) -> None:
    given = code(reconciled.signed_in("bea"))
    time.pass_(seconds=60)
    assert redeem(reconciled, given).status_code == 400


def test_the_token_ends_after_12_hours_and_leaves_the_list_with_the_next_one(
    reconciled: Reconciled, time: Time
) -> None:
    browser = reconciled.signed_in("bea", OWNER)
    answer = redeem(reconciled, code(browser)).json()
    assert answer["expires_in"] == 12 * 3600 and answer["token_type"] == "Bearer"
    time.pass_(hours=12)
    assert reconciled.caller(answer["access_token"]).get("/v1/me").status_code == 403
    again = reconciled.browser()
    again.post("/sign-in", json={"name": "bea", "password": PASSWORD})
    caller = reconciled.caller(token(reconciled, again))
    names = [one["name"] for one in caller.get("/v1/api-tokens").json()["items"]]
    assert names.count("bea@laptop") == 1


def test_the_token_ends_with_the_session_and_not_with_its_idleness(
    reconciled: Reconciled, time: Time
) -> None:
    browser = reconciled.signed_in("bea", OWNER)
    caller = reconciled.caller(token(reconciled, browser))
    time.pass_(hours=2)
    assert browser.get("/v1/me").status_code == 401  # idle
    assert caller.get("/v1/me").status_code == 200
    browser.post("/sign-in", json={"name": "bea", "password": PASSWORD})
    assert caller.get("/v1/me").status_code == 200
    assert browser.post("/sign-out").status_code == 200
    refused = caller.get("/v1/me")
    assert refused.status_code == 403 and "ended with the session" in refused.json()["message"]


def test_another_person_in_the_same_browser_ends_the_terminals_of_the_first(reconciled: Reconciled) -> None:
    browser = reconciled.signed_in("bea", OWNER)
    caller = reconciled.caller(token(reconciled, browser))
    reconciled.user("carl", OWNER, password=PASSWORD)
    browser.post("/sign-in", json={"name": "carl", "password": PASSWORD})
    assert caller.get("/v1/me").status_code == 403


def test_an_emergency_session_gives_no_more_than_its_15_minutes(reconciled: Reconciled) -> None:
    with reconciled.platform.store.transaction(reconciled.organization) as db:
        link = local_accounts.new_break_glass_link(db, "ada", now=reconciled.time.now)
    browser = reconciled.browser()
    assert browser.post("/welcome", json={"code": link}).status_code == 200
    assert redeem(reconciled, code(browser)).json()["expires_in"] == 15 * 60


def test_codes_and_tokens_are_in_no_event(reconciled: Reconciled) -> None:
    given = code(reconciled.signed_in("bea", OWNER))
    value = redeem(reconciled, given).json()["access_token"]
    told = json.dumps(reconciled.events())
    assert given not in told and value not in told and "apiToken.create" in told


# ---- the command


@dataclass
class Terminal(Session):
    """A terminal on a machine that has a browser."""

    opened: Callable[[str], bool] | None = None

    def browser(self) -> Callable[[str], bool] | None:
        return self.opened


@pytest.fixture
def run(reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    monkeypatch.setenv("TRADEWIND_CONTEXTS", str(tmp_path / "contexts.json"))
    for name in ("TRADEWIND_PLATFORM_URL", "TRADEWIND_PLANE_URL", "TRADEWIND_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(session_options, "at_a_terminal", lambda: True)

    def runs(*arguments: str, browser: Callable[[str], bool] | None = None, **more: Any) -> Result:
        session = Terminal(transport=reconciled.owner._transport, opened=browser)
        return CliRunner().invoke(main, arguments, obj=session, **more)

    return runs


def person(browser: TestClient, *, allow: bool = True, state: str | None = None) -> Callable[[str], bool]:
    """Opens the address in the browser, decides, and follows where that leads: to the terminal."""

    def opened(address: str) -> bool:
        path = address.removeprefix("http://platform.example.com")
        to = browser.get(path, follow_redirects=False).headers["location"]
        assert urlsplit(to).path == "/terminal-sign-in"
        decided = browser.post("/oauth/authorize", json={**query(to), "allow": allow}).json()["redirect_to"]
        if state is not None:
            forged = decided.replace(query(decided)["state"], state)
            assert httpx.get(forged).status_code == 400
        assert httpx.get(decided.replace("/callback", "/other")).status_code == 404
        assert httpx.get(decided, headers={"Host": "evil.example"}).status_code == 404
        assert "go back to the terminal" in httpx.get(decided).text
        return True

    return opened


def test_login_by_the_browser_keeps_a_token_that_logout_deletes(
    run: Callable[..., Result], reconciled: Reconciled, tmp_path: Path
) -> None:
    browser, file = reconciled.signed_in("bea", OWNER), tmp_path / "contexts.json"
    done = run("login", "http://platform.example.com", browser=person(browser, state="forged"))
    assert done.exit_code == 0, done.output
    assert "Signed in to acme as token:bea@" in done.output and file.stat().st_mode & 0o777 == 0o600
    kept = json.loads(file.read_text())["contexts"]["platform.example.com"]["token"]
    assert kept not in done.output and reconciled.caller(kept).get("/v1/me").status_code == 200
    assert "organization_owner" in run("whoami").stdout
    again = run("login", "http://platform.example.com", browser=person(browser))
    assert again.exit_code == 0 and reconciled.caller(kept).get("/v1/me").status_code == 403
    newer = json.loads(file.read_text())["contexts"]["platform.example.com"]["token"]
    out = run("logout")
    assert "The platform has deleted it." in out.output
    assert newer not in file.read_text() and reconciled.caller(newer).get("/v1/me").status_code == 403


def test_login_that_is_refused_in_the_browser_keeps_nothing(
    run: Callable[..., Result], reconciled: Reconciled, tmp_path: Path
) -> None:
    refusing = person(reconciled.signed_in("bea"), allow=False)
    refused = run("login", "http://platform.example.com", browser=refusing)
    assert refused.exit_code == 1 and "refused in the browser" in refused.stderr
    assert not (tmp_path / "contexts.json").exists()


def test_login_without_a_browser_asks_for_a_token(run: Callable[..., Result], reconciled: Reconciled) -> None:
    value = str(reconciled.owner.headers["Authorization"]).removeprefix("Bearer ")
    asked = run("login", "http://platform.example.com", input=f"{value}\n")
    assert (
        asked.exit_code == 0 and "Create a personal token at http://platform.example.com/me" in asked.stderr
    )

    def unexpected(address: str) -> bool:
        raise AssertionError(f"a browser is opened at {address}")

    told = run("login", "http://platform.example.com", "--no-browser", input=f"{value}\n", browser=unexpected)
    assert told.exit_code == 0
    assert "stays valid until you delete it" in run("logout").output
