"""One sign-in for the platform and two Airflows, with real processes: scenarios 3, 6, 8 and 9."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from support.browser import Browser
from support.installed import agent_settings
from support.patience import stretched
from support.platform_process import PlatformProcess
from tradewind.embedded.agent import Agent
from tradewind.embedded.processes import wait_until
from tradewind_platform.domain.roles import Role
from tradewind_platform.services import people
from tradewind_platform.store.sessions import Store, open_engine
from tradewind_platform.store.tables import ApiToken, RoleBinding, User

DAGS = Path(__file__).parent / "dags"
SECONDS_AWAY = 30
"""How long the platform is away in scenario 9: the scenario says ten minutes."""


@dataclass
class Installation:
    """A platform with the Deployments north and south."""

    platform: PlatformProcess
    north: dict[str, Any]
    south: dict[str, Any]

    def sign_in(self, browser: Browser, name: str = "ada") -> None:
        """By a link of the platform's machine."""
        link = self.platform.command(
            "platform",
            "admin",
            "sign-in-link",
            name,
            "--home",
            str(self.platform.home),
            "--url",
            self.platform.url,
        ).strip()
        code = parse_qs(urlsplit(link).query)["code"][0]
        headers = {"Origin": self.platform.url}
        answer = browser.request("POST", f"{self.platform.url}/welcome", json={"code": code}, headers=headers)
        assert answer.status_code == 200, answer.text

    def signed_in(self, name: str = "ada") -> Browser:
        browser = Browser()
        self.sign_in(browser, name)
        return browser

    def inside(self, deployment: dict[str, Any], name: str = "ada") -> Browser:
        """A browser that is signed in to a Deployment's Airflow."""
        browser = self.signed_in(name)
        _, answer = browser.open(f"{deployment['people_url']}/api/v2/auth/login")
        assert answer.status_code in (200, 404), answer.text
        assert me(browser, deployment) == name
        return browser

    @contextmanager
    def database(self) -> Iterator[Session]:
        """As another process of the platform would change it."""
        engine = open_engine(f"sqlite:///{self.platform.home}/platform.db")
        store = Store(engine)
        organization = people.first_organization(store, "", now=datetime.now(timezone.utc))
        try:
            with store.transaction(organization) as db:
                yield db
        finally:
            engine.dispose()

    def person(self, name: str, role: Role) -> None:
        now = datetime.now(timezone.utc)
        with self.database() as db:
            row = User(name=name, created_at=now)
            db.add(row)
            db.flush()
            db.add(RoleBinding(user_id=row.id, role=role.value, created_at=now, created_by="ada"))

    def api_token(self, name: str, role: str = "organization_owner", **more: Any) -> dict[str, Any]:
        with self.platform.client() as client:
            answer = client.post("/v1/api-tokens", json={"name": name, "role": role, **more})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def statuses(self, token: str) -> tuple[int, ...]:
        """What the token gets from the platform, and from the REST API and the operator API of both Deployments."""
        found = [httpx.get(f"{self.platform.url}/v1/me", headers=_bearer(token), timeout=60).status_code]
        for one in (self.north, self.south):
            found += [airflow(one, path, token).status_code for path in ("/api/v2/dags", "/tradewind/v1/me")]
        return tuple(found)


ALL_OPEN = (200,) * 5


def airflow(
    deployment: dict[str, Any], path: str, token: str, method: str = "GET", **more: Any
) -> httpx.Response:
    return Browser().request(method, deployment["people_url"] + path, headers=_bearer(token), **more)


def me(browser: Browser, deployment: dict[str, Any]) -> str | None:
    answer = browser.get(f"{deployment['people_url']}/ui/auth/me")
    return str(answer.json()["username"]) if answer.status_code == 200 else None


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def took(condition: Any, *, what: str) -> float:
    """Seconds until the condition holds."""
    began = time.monotonic()
    wait_until(condition, timeout=stretched(30), what=what, processes=[])
    return time.monotonic() - began


@pytest.fixture(scope="module")
def here(platform: PlatformProcess) -> Iterator[Installation]:
    north, south = (platform.json("deployments", "create", name, "--wait") for name in ("north", "south"))
    yield Installation(platform, north, south)


def test_a_deployment_has_no_passwords_of_its_own(here: Installation) -> None:
    home = here.platform.home / "local" / "deployments" / here.north["slug"]
    assert not (home / "passwords.json").exists()
    assert "simple_auth" not in (home / "airflow.cfg").read_text()
    for name in ("platform-credential", "access.json", "airflow.cfg"):
        assert (home / name).stat().st_mode & 0o777 == 0o600


def test_scenario_6_a_deep_link_is_reached_through_the_sign_in(here: Installation) -> None:
    browser, deep = Browser(), f"{here.north['people_url']}/dags?tags=sales"
    where, _ = browser.open(f"{here.north['people_url']}/api/v2/auth/login?next={quote(deep, safe='')}")
    assert where.startswith(f"{here.platform.url}/sign-in?next=")
    next = parse_qs(urlsplit(where).query)["next"][0]
    here.sign_in(browser)
    where, answer = browser.open(here.platform.url + next)
    assert (where, answer.status_code) == (deep, 200)
    assert me(browser, here.north) == "ada"


def test_scenario_6_a_second_deployment_asks_nothing(here: Installation) -> None:
    browser = here.inside(here.north)
    assert me(browser, here.south) is None
    deep = f"{here.south['people_url']}/dags"
    where, _ = browser.open(f"{here.south['people_url']}/api/v2/auth/login?next={quote(deep, safe='')}")
    assert where == deep
    assert not [one for one in browser.visited if "/sign-in" in one]
    assert me(browser, here.south) == "ada"


def test_scenario_6_without_a_role_a_page_says_whom_to_ask(here: Installation) -> None:
    here.person("nora", Role.ORGANIZATION_MEMBER)
    browser = here.signed_in("nora")
    where, answer = browser.open(f"{here.north['people_url']}/api/v2/auth/login")
    assert answer.status_code == 403
    assert urlsplit(where).path == "/auth/callback"
    assert "no role in the Airflow of north" in answer.text and "Ask ada for one." in answer.text
    assert me(browser, here.north) is None


def test_scenario_6_what_does_not_fit_is_refused(here: Installation) -> None:
    people_url = here.north["people_url"]
    browser = here.signed_in()
    for evil in ("//evil.example.com", "https://evil.example.com/"):
        for path in ("/auth/login", "/api/v2/auth/login"):
            assert browser.get(f"{people_url}{path}?{urlencode({'next': evil})}").status_code == 400
    to_platform = browser.get(f"{people_url}/auth/login").headers["location"]
    asked = {key: value[0] for key, value in parse_qs(urlsplit(to_platform).query).items()}
    other = {**asked, "redirect_uri": f"{here.south['people_url']}/auth/callback"}
    assert browser.get(f"{here.platform.url}/oauth/authorize?{urlencode(other)}").status_code == 400
    back = browser.get(to_platform).headers["location"]
    foreign = here.signed_in()
    foreign.get(f"{people_url}/auth/login")
    assert foreign.get(back).status_code == 400, "the state is another browser's"
    replay = browser.copy()
    assert browser.get(back).status_code == 302
    assert me(browser, here.north) == "ada"
    assert replay.get(back).status_code == 400, "the code was used"
    assert me(replay, here.north) is None


def test_scenario_3_the_cookie_and_the_token_of_one_are_refused_by_the_other(here: Installation) -> None:
    cookie = here.inside(here.north).jars[urlsplit(here.north["people_url"]).hostname or ""]["_token"]
    assert airflow(here.north, "/api/v2/dags", cookie).status_code == 200
    assert airflow(here.south, "/api/v2/dags", cookie).status_code in (401, 403)
    stolen = Browser({urlsplit(here.south["people_url"]).hostname or "": {"_token": cookie}})
    assert me(stolen, here.south) is None
    token = here.api_token("scenario-3", deployment="north", role="deployment_admin")["token"]
    wait_until(
        lambda: airflow(here.north, "/api/v2/dags", token).status_code == 200,
        timeout=stretched(10),
        what="the token is known",
        processes=[],
    )
    swapped = airflow(here.north, "/auth/token", token, "POST").json()["access_token"]
    for one in (token, swapped):
        assert airflow(here.north, "/api/v2/dags", one).status_code == 200
        assert airflow(here.south, "/api/v2/dags", one).status_code in (401, 403)


def test_scenario_8_an_api_token_opens_all_three_apis_until_it_is_deleted(here: Installation) -> None:
    made = here.api_token("ci")
    known = took(lambda: here.statuses(made["token"]) == ALL_OPEN, what="the token is known everywhere")
    with here.platform.client() as client:
        assert client.delete(f"/v1/api-tokens/{made['id']}").status_code == 204
    gone = took(lambda: 200 not in here.statuses(made["token"]), what="the token opens nothing")
    print(f"an API token was known everywhere after {known:.2f} s, and gone after {gone:.2f} s")
    assert gone < 5


def test_scenario_8_a_rotated_token_has_two_values_for_the_overlap(here: Installation) -> None:
    made = here.api_token("rotated")
    with here.platform.client() as client:

        def rotated(minutes: int) -> str:
            answer = client.post(f"/v1/api-tokens/{made['id']}/rotate", json={"overlap_minutes": minutes})
            return str(answer.json()["token"])

        second = rotated(30)
        took(lambda: here.statuses(second) == ALL_OPEN, what="the new value is known everywhere")
        assert here.statuses(made["token"]) == ALL_OPEN
        third = rotated(0)
        took(lambda: here.statuses(third) == ALL_OPEN, what="the newest value is known everywhere")
        gone = took(
            lambda: 200 not in here.statuses(second) + here.statuses(made["token"]),
            what="the old values open nothing",
        )
    assert gone < 5


def test_scenario_8_an_expired_token_opens_nothing(here: Installation) -> None:
    made = here.api_token("short", expires_in_days=1)
    took(lambda: here.statuses(made["token"]) == ALL_OPEN, what="the token is known everywhere")
    with here.database() as db:
        row = db.scalars(select(ApiToken).where(ApiToken.name == "short")).one()
        row.expires_at = datetime.now(timezone.utc) + timedelta(seconds=3)
    took(lambda: 200 not in here.statuses(made["token"]), what="the token has expired everywhere")


def test_scenario_8_a_personal_token_is_lowered_with_its_owner(here: Installation) -> None:
    here.person("paul", Role.ORGANIZATION_OWNER)
    made = here.api_token("pauls")
    with here.database() as db:
        paul = db.scalars(select(User).where(User.name == "paul")).one()
        db.scalars(select(ApiToken).where(ApiToken.name == "pauls")).one().owner_id = paul.id
    token, path = made["token"], "/api/v2/connections"
    took(lambda: airflow(here.north, path, token).status_code == 200, what="the token may read connections")
    browser = here.inside(here.north, "paul")
    connections = f"{here.north['people_url']}{path}"
    assert browser.get(connections).status_code == 200
    with here.database() as db:
        db.scalars(
            select(RoleBinding).where(RoleBinding.user_id == paul.id)
        ).one().role = Role.ORGANIZATION_AUDITOR.value
    lowered = took(
        lambda: (
            airflow(here.north, path, token).status_code == 403
            and browser.get(connections).status_code == 403
        ),
        what="the owner's demotion counts",
    )
    assert lowered < 5
    assert airflow(here.north, "/api/v2/dags", token).status_code == 200
    assert me(browser, here.north) == "paul"


def test_scenario_8_a_custom_role_opens_what_it_names_and_a_change_of_it_counts_within_seconds(
    here: Installation,
) -> None:
    path = "/tradewind/v1/tokens"
    with here.platform.client() as client:
        asked = {"name": "site-setup", "permissions": ["deployment.agentTokens.create"]}
        assert client.post("/v1/roles", json=asked).status_code == 201
    token = here.api_token("setup", "site-setup", deployment="north")["token"]

    def makes() -> int:
        return airflow(here.north, path, token, "POST", json={"name": f"t-{time.monotonic_ns()}"}).status_code

    known = took(lambda: makes() == 201, what="the role counts in the Airflow")
    assert airflow(here.north, path, token).status_code == 403
    assert airflow(here.north, "/api/v2/dags", token).status_code == 403
    assert airflow(here.south, path, token).status_code in (401, 403)
    with here.platform.client() as client:
        change = {"permissions": ["deployment.agentTokens.get"], "airflow_role": "VIEWER"}
        assert client.patch("/v1/roles/site-setup", json=change).status_code == 200
    changed = took(lambda: makes() == 403, what="the change of the role counts in the Airflow")
    print(f"a custom role counted after {known:.2f} s, and a change of it after {changed:.2f} s")
    assert changed < 5
    assert airflow(here.north, path, token).status_code == 200
    assert airflow(here.north, "/api/v2/dags", token).status_code == 200


def test_signing_out_at_one_deployment_signs_out_everywhere(here: Installation) -> None:
    browser = here.inside(here.north)
    browser.open(f"{here.south['people_url']}/api/v2/auth/login")
    assert me(browser, here.south) == "ada"
    where, _ = browser.open(f"{here.north['people_url']}/api/v2/auth/logout")
    assert where.startswith(f"{here.platform.url}/sign-in")
    assert me(browser, here.north) is None
    assert browser.get(f"{here.platform.url}/v1/me").status_code == 401
    assert took(lambda: me(browser, here.south) is None, what="signed out at the other Deployment") < 5


def test_scenario_9_while_the_platform_is_away_everything_goes_on(
    here: Installation, directory: Path
) -> None:
    platform, north = here.platform, here.north
    token = here.api_token("nightly")["token"]
    took(lambda: here.statuses(token) == ALL_OPEN, what="the token is known everywhere")
    browser = here.inside(north)
    file = directory / "north-token"
    platform.command("--deployment", "north", "tokens", "create", "first", "--to-file", str(file))
    settings = agent_settings(
        home=directory / "north-agent",
        plane_url=north["agent_url"],
        token=file.read_text().strip(),
        dags=DAGS,
    )
    with Agent(settings) as agent:
        wait_until(
            lambda: airflow(north, "/api/v2/dags/sums", token).status_code == 200,
            timeout=stretched(120),
            what="the Dag is there",
            processes=[agent.process],
        )
        airflow(north, "/api/v2/dags/sums", token, "PATCH", json={"is_paused": False}).raise_for_status()
        pids = {one.pid for one in platform.processes(north["slug"])}
        platform.process.stop()
        away = time.monotonic()
        assert not platform.answers()

        runs = 0
        while time.monotonic() - away < SECONDS_AWAY:
            runs += 1
            body = {"dag_run_id": f"away-{runs}", "logical_date": None}
            airflow(north, "/api/v2/dags/sums/dagRuns", token, "POST", json=body).raise_for_status()

            def state(run: str = f"away-{runs}") -> str:
                return str(airflow(north, f"/api/v2/dags/sums/dagRuns/{run}", token).json()["state"])

            wait_until(
                lambda state=state: state() in ("success", "failed"),
                timeout=stretched(120),
                what="the run has ended",
                processes=[agent.process],
            )
            assert state() == "success"
            assert me(browser, north) == "ada"
            assert airflow(north, "/tradewind/v1/agents", token).json()["items"][0]["state"] == "healthy"
        assert Browser().get(f"{north['people_url']}/auth/login").status_code == 302
        print(f"{runs} runs succeeded while the platform was away for {time.monotonic() - away:.0f} s")

        platform.start()
        assert {one.pid for one in platform.processes(north["slug"])} == pids
        with here.database() as db:
            db.scalars(select(ApiToken).where(ApiToken.name == "nightly")).one().deleted_at = datetime.now(
                timezone.utc
            )
        again = took(
            lambda: airflow(north, "/api/v2/dags", token).status_code != 200, what="changes are heard again"
        )
        print(f"a token that was deleted after the platform came back was gone {again:.1f} s later")
