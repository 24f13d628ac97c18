"""The page of a plane that is one of several behind a proxy, each under a path of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from support import nginx
from support.installed import plane_settings
from support.talkers import Stand
from tradewind.embedded.plane import Plane, free_port

pytestmark = pytest.mark.skipif(not nginx.available(), reason="no nginx on this machine: `make nginx`")


AGENTS = "https://k3.external.example.com/d4f2"
"""Where agents reach the plane: not where browsers do."""


class UnderAPath(Plane):
    """A plane whose whole address, path included, is what everybody uses."""

    @property
    def url(self) -> str:
        return super().url + nginx.PREFIX


@pytest.fixture(scope="module")
def proxied(directory: Path) -> Iterator[tuple[Plane, nginx.Nginx]]:
    """A plane told its address by [api] base_url, and an nginx that passes paths on as they are, as Airflow wants it."""
    port = free_port()
    target = f"http://127.0.0.1:{port}"
    with nginx.Nginx(directory / "path-nginx", target, sample=nginx.Sample.PATH_KEPT) as proxy:
        options = {
            "api": {"base_url": proxy.url},
            "tradewind": {"agent_url": f"{AGENTS}/", "poll_seconds": "5", "sweep_seconds": "1"},
        }
        with UnderAPath(plane_settings(home=directory / "path-plane", port=port, options=options)) as plane:
            yield plane, proxy


@pytest.fixture
def page(browser: Browser, proxied: tuple[Plane, nginx.Nginx]) -> Iterator[Page]:
    """Signed in through Airflow's form, by the proxy's address alone."""
    plane, proxy = proxied
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(f"{proxy.url}/auth/login?next={proxy.url}/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(plane.passwords["admin"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{proxy.url}/")
    yield page
    context.close()


def test_everything_the_page_asks_for_is_under_the_path(
    page: Page, proxied: tuple[Plane, nginx.Nginx]
) -> None:
    plane, proxy = proxied
    answers: list[tuple[str, int]] = []
    page.on("response", lambda one: answers.append((urlsplit(one.url).path, one.status)))
    with Stand(plane) as stand:
        stand.agent("porto")
        page.goto(f"{proxy.url}/plugin/remote-agents/")
        page.get_by_role("link", name="porto", exact=True).click()
        expect(page).to_have_url(re.compile(re.escape(f"{proxy.url}/plugin/remote-agents/agents/")))
        page.get_by_role("button", name="Cordon porto").click()
        page.get_by_role("dialog").get_by_label("Reason").fill("new disk")
        page.get_by_role("dialog").get_by_role("button", name="Cordon", exact=True).click()
        expect(page.get_by_text("by admin: new disk")).to_be_visible()
        page.reload()
        expect(page.get_by_role("heading", name="porto", exact=True)).to_be_visible()
        for each in ("Queues", "Tokens", "Allowed addresses", "Site access", "Events"):
            page.get_by_role("navigation", name="Remote Agents").get_by_role("link", name=each).click()
            expect(page).to_have_url(re.compile(re.escape(f"{proxy.url}/plugin/remote-agents/")))
        expect(page.get_by_text("new disk").first).to_be_visible()
    ours = [(path, status) for path, status in answers if "/tradewind/" in path]
    assert {status for _, status in ours} <= {200, 201, 204}, ours
    assert all(path.startswith(f"{nginx.PREFIX}/tradewind/") for path, _ in ours)


def test_no_address_that_is_shown_for_agents_is_the_browsers(
    page: Page, proxied: tuple[Plane, nginx.Nginx]
) -> None:
    """Commands, settings and chart values of each way to run an agent, and its token."""
    _, proxy = proxied
    page.goto(f"{proxy.url}/plugin/remote-agents/register")
    page.get_by_label("Repository", exact=True).fill("https://git.example.com/dags.git")
    expect(page.get_by_role("region", name="settings file")).to_contain_text(f'plane_url = "{AGENTS}"')
    page.get_by_role("button", name="Create token my-site").click()
    expect(page.get_by_role("region", name="token value")).to_be_visible()
    kinds = page.get_by_role("tab", name=re.compile("Host|systemd|Container|Helm|Kubernetes")).all()
    assert len(kinds) == 5
    for kind in kinds:
        kind.click()
        text = page.locator("body").inner_text()
        assert AGENTS in text and urlsplit(proxy.url).netloc not in text, text
    page.goto(f"{proxy.url}/plugin/remote-agents/tokens")
    expect(page.get_by_role("row").filter(has_text="my-site")).to_be_visible()
    assert urlsplit(proxy.url).netloc not in page.locator("body").inner_text()


def test_the_description_of_the_operator_api_opens_and_its_calls_go_under_the_path(
    page: Page, proxied: tuple[Plane, nginx.Nginx]
) -> None:
    _, proxy = proxied
    described: Any = page.request.get(f"{proxy.url}/tradewind/openapi.json").json()
    server = described.get("servers", [{"url": f"{nginx.PREFIX}/tradewind"}])[0]["url"]
    assert urlsplit(server).path == f"{nginx.PREFIX}/tradewind"
    shown = page.request.get(f"{proxy.url}/tradewind/docs")
    assert shown.ok and f"{nginx.PREFIX}/tradewind/openapi.json" in shown.text()
