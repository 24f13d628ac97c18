"""A real Keycloak, and a platform's API on a port of this machine, as `make test-keycloak` runs them."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from support import keycloak
from support.keycloak import CLIENT_ID, CLIENT_SECRET, Keycloak
from support.platform_parts import QUICK, Api, Time
from tradewind_platform.api.context import Platform
from tradewind_platform.clock import utc_now
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services.people import first_organization
from tradewind_platform.services.session_refreshes import Refresher
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.sessions import Store, open_engine

START = "/sign-in/with-identity-provider"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("airflow")  # as long as those of real Airflows
            item.add_marker(pytest.mark.timeout(1200))


@dataclass
class RealSignIn:
    """A platform whose people are in a Keycloak."""

    api: Api
    keycloak: Keycloak

    @property
    def url(self) -> str:
        return self.api.platform.origin

    def browser(self) -> httpx.Client:
        """A browser on this machine. Keycloak's cookies are `Secure`, and a browser sends these to 127.0.0.1, too."""
        browser = httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=300)

        def send_here_too(_: httpx.Response) -> None:
            for cookie in browser.cookies.jar:
                cookie.secure = False

        browser.event_hooks = {"response": [send_here_too]}
        return browser

    def set_up(self, tester: str, *, totp: bool = True, **more: Any) -> None:
        """Put settings, test them as an owner who signs in at Keycloak, and activate them."""
        settings = {
            "label": "Keycloak",
            "issuer": self.keycloak.issuer,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "groups_claim": "groups",
            **more,
        }
        put = self.api.owner.put("/v1/organization/sign-in", json=settings)
        assert put.status_code == 200, put.text
        browser = self.browser()
        link = self.api.break_glass("ada")
        assert browser.post("/welcome", json={"code": link}).status_code == 200
        answer = keycloak.sign_in(browser, f"{START}?test=true", tester, totp=totp)
        assert answer.headers["location"] == "/sign-in/tested", answer.text
        test = self.api.owner.get("/v1/organization/sign-in").json()["draft"]["test"]
        activated = self.api.owner.post("/v1/organization/sign-in/activate")
        assert activated.status_code == 200, f"{activated.text} {test}"

    def signed_in(self, name: str, *, totp: bool = True) -> httpx.Client:
        browser = self.browser()
        answer = keycloak.sign_in(browser, START, name, totp=totp)
        assert answer.headers.get("location") == "/", f"{answer.status_code} {answer.headers} {answer.text}"
        return browser

    def refresher(self) -> Refresher:
        parts = self.api.platform
        return Refresher(parts.store, parts.ring, parts.providers, origin=parts.origin, clock=utc_now)


@pytest.fixture(scope="session")
def signs_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSignIn]:
    if not (keycloak.HOME / "bin" / "kc.sh").exists() or shutil.which("java") is None:
        pytest.skip("there is no Keycloak: `make keycloak` fetches it")
    directory = tmp_path_factory.mktemp("platform")
    engine = open_engine(f"sqlite:///{directory}/platform.db")
    migrate(engine)
    store = Store(engine)
    organization = first_organization(store, "acme", now=utc_now())
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ring = KeyRing.create(directory / "keys")
    api = Api(Platform(store, ring, utc_now, origin=origin, passwords=QUICK), organization, Time(utc_now()))
    server = uvicorn.Server(uvicorn.Config(api.app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        with keycloak.running(directory / "keycloak.log") as found:
            found.make_realm(origin)
            yield RealSignIn(api, found)
    finally:
        server.should_exit = True
        thread.join()
        engine.dispose()
