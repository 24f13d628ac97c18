"""The platform's own application and a Deployment's auth manager, in one process: what the one sends, the other understands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import jwt
import pytest
from airflow.api_fastapi import app as airflow_app
from airflow.configuration import conf
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select

from support import airflow_database
from support.platform_database import new_engine
from support.platform_parts import Reconciled, Time
from tradewind_platform.api.context import Platform
from tradewind_platform.domain.deployment_access import DeploymentAccess
from tradewind_platform.domain.roles import ORGANIZATION, AirflowRole, Binding, Permission, Role
from tradewind_platform.security.airflow_tokens import token_for
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import deployment_credentials, secrets
from tradewind_platform.services.people import first_organization
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import RoleBinding, User
from tradewind_protocol.access import AUTH_MANAGER
from tradewind_provider import settings
from tradewind_provider.auth_manager.manager import TradewindAuthManager
from tradewind_provider.auth_manager.platform_client import PlatformClient

OWNER = Binding(Role.ORGANIZATION_OWNER, ORGANIZATION)


@dataclass
class Both:
    """A platform with a Deployment, and the Airflow application of it."""

    platform: Reconciled
    airflow: FastAPI
    deployment: dict[str, Any]
    key: str

    @property
    def people_url(self) -> str:
        return str(self.deployment["people_url"])

    def in_airflow(self, browser: TestClient | None = None, **headers: str) -> TestClient:
        return TestClient(self.airflow, base_url=self.people_url, headers=headers, follow_redirects=False)

    async def up_to_date(self) -> None:
        document = await self.manager.platform.access()
        assert document is not None
        self.manager.replica.accept(document)

    @property
    def manager(self) -> TradewindAuthManager:
        found: TradewindAuthManager = self.airflow.state.auth_manager
        return found

    def sign_in(self, on_platform: TestClient) -> tuple[TestClient, httpx.Response]:
        """Through the platform, where the person is signed in. The browser in Airflow, and the last answer."""
        browser = self.in_airflow()
        to_platform = browser.get("/auth/login", params={"next": "/dags?x=1"}).headers["location"]
        asked = urlsplit(to_platform)
        back = on_platform.get(f"{asked.path}?{asked.query}", follow_redirects=False).headers["location"]
        returned = urlsplit(back)
        assert f"{returned.scheme}://{returned.netloc}" == self.people_url
        return browser, browser.get(f"{returned.path}?{returned.query}")


@pytest.fixture(scope="module")
def applications() -> list[FastAPI]:
    """Airflow's application once it has been made, which takes a second."""
    return []


@pytest.fixture
def both(tmp_path: Path, applications: list[FastAPI]) -> Iterator[Both]:
    airflow_database.migrated()
    engine = new_engine(f"sqlite:///{tmp_path}/platform.db")
    store, time = Store(engine), Time()
    # Airflow has the clock of the machine.
    from tradewind_platform.clock import utc_now

    time.now = utc_now()
    organization = first_organization(store, "acme", now=time.now)
    platform = Reconciled(Platform(store, KeyRing.create(tmp_path / "keys"), time), organization, time)
    sales = platform.created("sales")
    with store.reading(organization) as db:
        kept = secrets.of(db, platform.platform.ring, UUID(sales["id"]))
    (tmp_path / "credential").write_text(kept[deployment_credentials.SECRET])
    options = {
        ("core", "auth_manager"): AUTH_MANAGER,
        ("api", "base_url"): sales["people_url"],
        ("api_auth", "jwt_secret"): kept["jwt"],
        ("api_auth", "jwt_audience"): f"urn:tradewind:{sales['id']}",
        ("tradewind", "managed_by"): "platform",
        ("tradewind", "deployment"): "sales",
        ("tradewind", "deployment_id"): sales["id"],
        ("tradewind", "platform_url"): platform.platform.origin,
        ("tradewind", "platform_credential_file"): str(tmp_path / "credential"),
        ("tradewind", "access_file"): str(tmp_path / "access.json"),
    }
    before = {(section, key): conf.get(section, key, fallback=None) for section, key in options}
    for (section, key), value in options.items():
        if not conf.has_section(section):
            conf.add_section(section)
        conf.set(section, key, value)
    _start_anew()
    if not applications:
        applications.append(airflow_app.create_app(apps="core"))
    (app,) = applications
    manager = app.state.auth_manager
    for of_another_deployment in ("link", "replica", "platform"):
        manager.__dict__.pop(of_another_deployment, None)
    manager.init()
    manager.platform = PlatformClient(manager.link, transport=httpx.ASGITransport(platform.app))
    airflow_app._AuthManagerState.instance = manager
    yield Both(platform, app, sales, kept["jwt"])
    for (section, key), old in before.items():
        conf.remove_option(section, key) if old is None else conf.set(section, key, old)
    _start_anew()
    engine.dispose()


def _start_anew() -> None:
    settings.current.cache_clear()
    airflow_app.purge_cached_app()
    TradewindAuthManager._get_token_signer.cache_clear()
    TradewindAuthManager._get_token_validator.cache_clear()


async def test_a_person_signs_in_once_and_uses_airflow_until_the_session_ends(both: Both) -> None:
    on_platform = both.platform.signed_in("bea", OWNER)
    browser, last = both.sign_in(on_platform)
    assert (last.status_code, last.headers["location"]) == (302, "/dags?x=1")
    assert browser.get("/ui/auth/me").json()["username"] == "bea"
    assert browser.get("/api/v2/connections").status_code == 200
    assert browser.get("/auth/logout").headers["location"].startswith(both.platform.platform.origin)
    assert on_platform.get("/v1/me").status_code == 401
    assert browser.get("/api/v2/dags").status_code == 401


async def test_a_person_without_a_role_is_named_someone_to_ask(both: Both) -> None:
    await both.up_to_date()
    member = both.platform.signed_in("mia", Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION))
    _, last = both.sign_in(member)
    assert last.status_code == 403
    assert "Ask ada for one." in last.text


async def test_an_api_token_a_change_of_its_owner_and_its_end_are_understood(both: Both) -> None:
    token = both.platform.owner.headers["authorization"].partition(" ")[2]
    caller = both.in_airflow(Authorization=f"Bearer {token}")
    await both.up_to_date()
    assert caller.get("/api/v2/connections").status_code == 200
    assert caller.get("/tradewind/v1/me").json()["name"] == "token:ada"
    store = both.platform.platform.store
    with store.transaction(both.platform.organization) as db:
        db.scalars(select(RoleBinding)).one().role = Role.ORGANIZATION_AUDITOR.value
    await both.up_to_date()
    assert caller.get("/api/v2/connections").status_code == 403
    assert caller.get("/api/v2/eventLogs").status_code == 200, "an auditor reads the audit log"
    with store.transaction(both.platform.organization) as db:
        db.get_one(User, both.platform.owner_id).disabled_at = both.platform.time.now
    await both.up_to_date()
    assert caller.get("/api/v2/dags").status_code == 403


async def test_a_custom_role_counts_in_airflow_and_a_change_of_it_with_the_next_answer(both: Both) -> None:
    api = both.platform.owner
    role = {"name": "site-setup", "permissions": ["deployment.agentTokens.create"], "airflow_role": "VIEWER"}
    assert api.post("/v1/roles", json=role).status_code == 201
    asked = {"name": "setup", "role": "site-setup", "deployment": "sales"}
    caller = both.in_airflow(Authorization=f"Bearer {api.post('/v1/api-tokens', json=asked).json()['token']}")
    await both.up_to_date()
    made = caller.post("/tradewind/v1/tokens", json={"name": "eu", "environment": "default"})
    assert made.status_code == 201, made.text
    assert caller.delete(f"/tradewind/v1/tokens/{made.json()['id']}").status_code == 403
    assert caller.get("/api/v2/dags").status_code == 200
    change = {"permissions": ["deployment.agentTokens.delete"], "airflow_role": None}
    assert api.patch("/v1/roles/site-setup", json=change).status_code == 200
    document = await both.manager.platform.access(both.manager.replica.revision)
    assert document is not None, "the request that waits is answered by the change"
    both.manager.replica.accept(document)
    assert caller.delete(f"/tradewind/v1/tokens/{made.json()['id']}").status_code == 204
    assert caller.post("/tradewind/v1/tokens", json={"name": "us"}).status_code == 403
    assert caller.get("/api/v2/dags").status_code == 403


async def test_uses_of_a_token_reach_the_platform(both: Both) -> None:
    await both.up_to_date()
    token = both.platform.owner.headers["authorization"].partition(" ")[2]
    both.platform.time.pass_(hours=1)
    both.in_airflow(Authorization=f"Bearer {token}").get("/api/v2/dags")
    uses = both.manager.replica.take_uses()
    await both.manager.platform.report_uses(uses)
    shown = both.platform.owner.get("/v1/api-tokens/ada").json()["last_used_at"]
    assert shown is not None


def test_what_the_platform_passes_on_is_taken(both: Both) -> None:
    for role, may in ((AirflowRole.OP, 200), (AirflowRole.VIEWER, 403)):
        token = token_for(
            UUID(both.deployment["id"]), both.key, name="ada", access=DeploymentAccess.by_role(role)
        )
        caller = both.in_airflow(Authorization=f"Bearer {token}")
        assert caller.get("/api/v2/connections").status_code == may
    narrow = DeploymentAccess(None, frozenset({Permission.AGENT_TOKENS_GET}), audit=False)
    token = token_for(UUID(both.deployment["id"]), both.key, name="eve", access=narrow)
    eve = both.in_airflow(Authorization=f"Bearer {token}")
    assert eve.get("/tradewind/v1/tokens").status_code == 200
    assert eve.get("/tradewind/v1/agents").status_code == eve.get("/api/v2/dags").status_code == 403
    other = token_for(UUID(int=7), both.key, name="ada", access=DeploymentAccess.by_role(AirflowRole.ADMIN))
    assert both.in_airflow(Authorization=f"Bearer {other}").get("/api/v2/dags").status_code == 403
    assert jwt.decode(other, options={"verify_signature": False})["via"] == "platform"
