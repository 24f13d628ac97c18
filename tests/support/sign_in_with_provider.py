"""A browser's way through the sign-in at an identity provider, hop by hop, so that a test can change one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from fastapi.testclient import TestClient

from support.identity_provider import CLIENT_ID, CLIENT_SECRET, FakeIdentityProvider
from support.platform_parts import Api
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.security import trust

START = "/sign-in/with-identity-provider"


@dataclass
class Sso:
    """A platform with an identity provider."""

    api: Api
    provider: FakeIdentityProvider

    def settings(self, **more: Any) -> dict[str, Any]:
        return {
            "label": "Acme ID",
            "issuer": self.provider.issuer,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "groups_claim": "groups",
            **more,
        }

    def set_up(self, **more: Any) -> None:
        """Put settings, test them as an owner does, and activate them."""
        put = self.api.owner.put("/v1/organization/sign-in", json=self.settings(**more))
        assert put.status_code == 200, put.text
        self.test()
        answer = self.api.owner.post("/v1/organization/sign-in/activate")
        assert answer.status_code == 200, answer.text

    def test(self) -> None:
        """A test sign-in by an owner, of the draft."""
        name = f"tester-{len(self.api.events())}"
        owner = self.api.signed_in(name, Binding(Role.ORGANIZATION_OWNER, ORGANIZATION))
        assert self.through(owner, test="true").headers["location"] == "/sign-in/tested"

    def leave(self, browser: TestClient, **query: str) -> str:
        """Where the platform sends the browser."""
        answer = browser.get(START, params=query, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def at_provider(self, url: str) -> str:
        """The provider signs the person in, and sends the browser to this path of the platform."""
        answer = httpx.get(url, follow_redirects=False, verify=trust.of_this_machine())
        assert answer.status_code == 302, answer.text
        parts = urlsplit(answer.headers["location"])
        assert f"{parts.scheme}://{parts.netloc}" == self.api.platform.origin
        return f"{parts.path}?{parts.query}"

    def through(self, browser: TestClient, **query: str) -> httpx.Response:
        """The whole way: the platform's last answer."""
        return browser.get(self.at_provider(self.leave(browser, **query)), follow_redirects=False)

    def signed_in(self) -> TestClient:
        """A new browser in which the provider's person has signed in."""
        browser = self.api.browser()
        answer = self.through(browser)
        assert answer.headers["location"] == "/", answer.headers["location"]
        return browser


def status_and_error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("error", "") if answer.content else ""


def why_refused(answer: httpx.Response) -> str:
    """The reason that the browser is sent back to the sign-in page with."""
    assert answer.status_code == 303
    parts = urlsplit(answer.headers["location"])
    assert parts.path == "/sign-in" and not parts.netloc
    query = parse_qs(parts.query)
    assert query["error"][0]  # what the page shows
    return query["refused"][0]


def roles_of(browser: TestClient) -> list[str]:
    return [one["role"] for one in browser.get("/v1/me").json()["grants"]]
