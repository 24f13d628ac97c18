"""A Deployment's Airflow application with the platform's auth manager in it, and a platform that a test makes up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
from airflow.api_fastapi import app as airflow_app
from airflow.configuration import conf
from fastapi import FastAPI

from support.http_client import Client
from tradewind_protocol import pkce
from tradewind_protocol.access import AccessDocument, AccessToken, AccessUser, SignedIn, Workload
from tradewind_provider import settings
from tradewind_provider.auth_manager.manager import TradewindAuthManager
from tradewind_provider.auth_manager.platform_client import PlatformClient
from tradewind_provider.auth_manager.replica import AccessReplica
from tradewind_provider.auth_manager.users import PlatformUser, Session
from tradewind_provider.services.credential_hashes import hashed

DEPLOYMENT = UUID("0197b3a2-6c1e-7d55-8a5e-0f4f2f6c9a10")
PLATFORM = "https://platform.example.com"
AIRFLOW = "https://d2345abc.example.com"
CREDENTIAL = "tw_deployment_of-the-test"


@dataclass
class FakePlatform:
    """Answers what a Deployment asks; `away` makes it a platform that cannot be reached."""

    document: AccessDocument = AccessDocument(deployment=DEPLOYMENT, revision=1)
    away: bool = False
    codes: dict[str, tuple[SignedIn, str]] = field(default_factory=dict)  # code → who, and the challenge
    ended: list[UUID] = field(default_factory=list)
    uses: list[dict[str, Any]] = field(default_factory=list)
    workloads: list[Workload] = field(default_factory=list)
    asked_since: list[str | None] = field(default_factory=list)
    asked_to_hold: list[str | None] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("away", request=request)
        if request.headers.get("authorization") != f"Bearer {CREDENTIAL}":
            return httpx.Response(401, text="no credential")
        if request.url.path == "/oauth/token":
            return self._exchange(
                {key: value[0] for key, value in parse_qs(request.content.decode()).items()}
            )
        base = f"/internal/v1/deployments/{DEPLOYMENT}"
        if request.url.path == f"{base}/access":
            since = request.url.params.get("since")
            self.asked_since.append(since)
            self.asked_to_hold.append(request.url.params.get("hold"))
            if since == str(self.document.revision):
                return httpx.Response(204)
            return httpx.Response(200, text=self.document.model_dump_json())
        if request.url.path == f"{base}/sessions/end":
            self.ended.append(UUID(json.loads(request.content)["session"]))
            return httpx.Response(204)
        if request.url.path == f"{base}/token-uses":
            self.uses += json.loads(request.content)["uses"]
            return httpx.Response(204)
        if request.url.path == f"{base}/workload":
            self.workloads.append(Workload.model_validate_json(request.content))
            return httpx.Response(204)
        return httpx.Response(404)

    def _exchange(self, form: dict[str, str]) -> httpx.Response:
        who, challenge = self.codes.pop(form["code"], (None, ""))
        if who is None or pkce.challenge_of(form["code_verifier"]) != challenge:
            return httpx.Response(400, json={"error": "invalid_grant"})
        return httpx.Response(200, text=who.model_dump_json())

    def person(self, name: str, role: str = "VIEWER", **more: Any) -> AccessUser:
        """Give a new person a role."""
        made = AccessUser(id=uuid4(), name=name, role=role, **more)
        self._change(users=(*self.document.users, made))
        return made

    def api_token(self, value: str, role: str = "VIEWER", *, name: str = "ci", **more: Any) -> AccessToken:
        made = AccessToken(
            id=uuid4(),
            value=uuid4(),
            hash=hashed(value),
            name=f"token:{name}",
            role=role,
            **more,
        )
        self._change(tokens=(*self.document.tokens, made))
        return made

    def change(self, **fields: Any) -> None:
        self._change(**fields)

    def _change(self, **fields: Any) -> None:
        self.document = self.document.model_copy(update={"revision": self.document.revision + 1, **fields})


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform()


@pytest.fixture
def link(tmp_path: Path) -> settings.PlatformLink:
    credential = tmp_path / "credential"
    credential.write_text(CREDENTIAL)
    return settings.PlatformLink(
        PLATFORM, DEPLOYMENT, credential, None, tmp_path / "access.json", access_max_age=86400
    )


@pytest.fixture
def client_of_platform(link: settings.PlatformLink, platform: FakePlatform) -> PlatformClient:
    return PlatformClient(link, transport=httpx.MockTransport(platform))


@dataclass
class Deployment:
    """The application, and the people who use it. Changes of `platform` count once `up_to_date` was called."""

    app: FastAPI
    manager: TradewindAuthManager
    platform: FakePlatform

    def up_to_date(self) -> None:
        self.manager.replica.accept(self.platform.document)

    def browser(self) -> Client:
        return Client(self.app, base_url=AIRFLOW, follow_redirects=False)

    def bearer(self, token: str) -> Client:
        return Client(self.app, base_url=AIRFLOW, headers={"Authorization": f"Bearer {token}"})

    def token_of(self, user: AccessUser, *, session: UUID | None = None, hours: float = 12) -> str:
        """As a person has who signed in."""
        ends_at = datetime.now(timezone.utc) + timedelta(hours=hours)
        signed_in = PlatformUser(user.id, user.name, session=Session(session or uuid4(), ends_at))
        return self.manager.generate_jwt(signed_in)

    def signed_in(self, role: str, **more: Any) -> Client:
        """A client of a new person with that role."""
        user = self.platform.person(f"someone-{uuid4().hex[:6]}", role, **more)
        self.up_to_date()
        return self.bearer(self.token_of(user))


@pytest.fixture(scope="session")
def home_of_deployment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("deployment")
    (home / "credential").write_text(CREDENTIAL)
    return home


@pytest.fixture(scope="session")
def applications() -> list[FastAPI]:
    """The application once it has been made, which takes seconds; the configuration it is made of is the same in each file."""
    return []


@pytest.fixture(scope="module")
def airflow_application(
    database: None, home_of_deployment: Path, applications: list[FastAPI]
) -> Iterator[FastAPI]:
    """Airflow's whole API application, as an API server of a Deployment makes it, and the configuration that is for it alone."""
    home = home_of_deployment
    options = {
        ("core", "auth_manager"): "tradewind_provider.auth_manager.manager.TradewindAuthManager",
        ("api", "base_url"): AIRFLOW,
        ("api_auth", "jwt_secret"): "k" * 64,
        ("api_auth", "jwt_expiration_time"): "3600",
        ("tradewind", "managed_by"): "platform",
        ("tradewind", "deployment"): "sales",
        ("tradewind", "deployment_id"): str(DEPLOYMENT),
        ("tradewind", "platform_url"): PLATFORM,
        ("tradewind", "platform_credential_file"): str(home / "credential"),
        ("tradewind", "access_file"): str(home / "access.json"),
    }
    before = {(section, key): conf.get(section, key, fallback=None) for section, key in options}
    for (section, key), value in options.items():
        if not conf.has_section(section):
            conf.add_section(section)
        conf.set(section, key, value)
    _start_anew()
    if applications:
        airflow_app._AuthManagerState.instance = applications[0].state.auth_manager
    else:
        applications.append(airflow_app.create_app(apps="core"))
    yield applications[0]
    for (section, key), old in before.items():
        conf.remove_option(section, key) if old is None else conf.set(section, key, old)
    _start_anew()


@pytest.fixture
def deployment(
    airflow_application: FastAPI, link: settings.PlatformLink, platform: FakePlatform
) -> Deployment:
    """With roles that nobody has yet."""
    manager = airflow_application.state.auth_manager
    manager.link = link
    manager.replica = AccessReplica(link.access_file, DEPLOYMENT, max_age=link.access_max_age)
    manager.platform = PlatformClient(link, transport=httpx.MockTransport(platform))
    return Deployment(airflow_application, manager, platform)


def _start_anew() -> None:
    """Airflow keeps its application, and the signers with the key of the first one, for the life of a process."""
    settings.current.cache_clear()
    airflow_app.purge_cached_app()
    TradewindAuthManager._get_token_signer.cache_clear()
    TradewindAuthManager._get_token_validator.cache_clear()


def query(url: str) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(url).query).items()}
