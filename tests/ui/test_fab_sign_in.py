"""The page under FAB, the auth manager with a database of people: its own sign-in, its own roles. Everybody comes through
nginx with TLS, as docs/how-to/behind-a-proxy.md sets it up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from support import nginx
from support.installed import plane_settings
from support.talkers import Stand
from tradewind.embedded import processes
from tradewind.embedded.plane import Plane, free_port

pytestmark = [
    pytest.mark.skipif(not nginx.available(), reason="no nginx on this machine: `make nginx`"),
    pytest.mark.timeout(600),
]  # its first start makes every permission of every role

MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
PEOPLE = {"vera": "Viewer", "otto": "Op", "nobody": "Public"}


@pytest.fixture(scope="module")
def proxy(directory: Path) -> Iterator[nginx.Nginx]:
    target = f"http://127.0.0.1:{free_port()}"
    with nginx.Nginx(directory / "fab-nginx", target, sample=nginx.Sample.WHOLE_HOST) as running:
        yield running


@pytest.fixture(scope="module")
def fab(directory: Path, proxy: nginx.Nginx) -> Iterator[Plane]:
    """A plane whose people are in its database."""
    options = {
        "api": {"base_url": proxy.base},
        "core": {"auth_manager": MANAGER},
        "fab": {"enable_proxy_fix": "True"},
        "tradewind": {
            "poll_seconds": "5",
            "sweep_seconds": "1",
            "trusted_proxies": "127.0.0.1",
            "agent_hosts": "*.external.example.com",
            "agent_url": "",
        },
    }
    port = urlsplit(proxy.target).port or 0
    home = directory / "fab-plane"
    plane = Plane(plane_settings("apache-airflow-providers-fab", home=home, port=port, options=options))
    plane.configure()
    plane.migrate()
    arguments = [
        "users",
        "create",
        "--username",
        "admin",
        "--role",
        "Admin",
        "--password",
        plane.passwords["admin"],
    ]
    person = ["--firstname", "Ada", "--lastname", "Admin", "--email", "admin@example.com"]
    processes.run_to_end(plane._process("user-admin", [*arguments, *person]), timeout=180)
    try:
        plane.start(timeout=240)
        with plane.client() as http:
            for name, role in PEOPLE.items():
                plane.passwords[name] = f"of-{name}-only"
                person_of = {
                    "username": name,
                    "first_name": name,
                    "last_name": role,
                    "email": f"{name}@example.com",
                }
                body = {**person_of, "roles": [{"name": role}], "password": plane.passwords[name]}
                answer = http.post("/auth/fab/v1/users", json=body)
                assert answer.is_success, answer.text
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """What the browser of each user keeps. FAB takes five sign-ins in forty seconds, and no more."""
    return {}


@pytest.fixture
def signed(browser: Browser, fab: Plane, proxy: nginx.Nginx, kept: dict[str, Any]) -> Iterator[Any]:
    """`signed("vera")`: the page of somebody who came through FAB's form, once for all tests."""
    contexts = []

    def page_of(name: str) -> Page:
        context = browser.new_context(
            ignore_https_errors=True, viewport={"width": 1440, "height": 900}, storage_state=kept.get(name)
        )
        contexts.append(context)
        context.set_default_timeout(90_000)  # the first page of a server takes its time
        page = context.new_page()
        if name not in kept:
            page.goto(f"{proxy.base}/plugin/remote-agents/")
            page.wait_for_url(re.compile("/auth/login"))  # sent there by Airflow
            page.locator("#username").fill(name)
            page.locator("#password").fill(fab.passwords[name])
            page.locator("input[type=submit], button[type=submit]").first.click()
            page.wait_for_url(lambda url: "/login" not in url)
            kept[name] = context.storage_state()
        page.goto(f"{proxy.base}/plugin/remote-agents/")
        return page

    yield page_of
    for context in contexts:
        context.close()


@pytest.fixture
def stand(fab: Plane) -> Iterator[Stand]:
    with Stand(fab) as agents:
        agents.agent("toledo")
        yield agents


def test_signing_in_leads_back_to_where_somebody_came_from_with_cookies_for_tls_only(
    signed: Any, proxy: nginx.Nginx
) -> None:
    page = signed("otto")
    assert page.url == f"{proxy.base}/plugin/remote-agents/"
    cookies = {each["name"]: each["secure"] for each in page.context.cookies()}
    assert cookies["_token"] is True, cookies


def test_through_the_proxy_a_name_for_agents_has_nothing_for_people(fab: Plane, proxy: nginx.Nginx) -> None:
    with httpx.Client(base_url=proxy.base, verify=proxy.trust()) as client:
        answer = client.get("/auth/login/", headers={"Host": "k3.external.example.com"})
        assert (answer.status_code, answer.text) == (404, "404 page not found")


def test_the_plane_sees_the_clients_address_and_none_that_it_claims(fab: Plane, proxy: nginx.Nginx) -> None:
    signed_in = {"Authorization": f"Bearer {fab.sign_in('admin')}", "X-Forwarded-For": "203.0.113.7"}
    with httpx.Client(base_url=proxy.base, verify=proxy.trust()) as client:
        assert client.get("/tradewind/v1/me", headers=signed_in).json()["address"] == "127.0.0.1"


def tab(page: Page, name: str) -> Any:
    return page.get_by_role("navigation", name="Remote Agents").get_by_role("link", name=name, exact=True)


def test_a_viewer_of_fab_may_look_and_change_nothing(signed: Any, stand: Stand, proxy: nginx.Nginx) -> None:
    """By the API: Airflow's UI tells of plugins only those who may read "Plugins", which FAB gives to Op."""
    page = signed("vera")
    answer = page.request.get(f"{proxy.base}/tradewind/v1/agents")
    assert answer.status == 200
    found = {each["name"]: each["id"] for each in answer.json()["items"]}
    address = f"{proxy.base}/tradewind/v1/agents/{found['toledo']}/cordon"
    assert page.request.post(address, data={"reason": "new disk"}).status == 403
    assert page.request.get(f"{proxy.base}/tradewind/v1/tokens").status == 403


def test_an_op_of_fab_cordons_and_makes_no_token(signed: Any, stand: Stand) -> None:
    page = signed("otto")
    page.get_by_role("link", name="toledo", exact=True).click()
    page.get_by_role("button", name="Cordon toledo").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("new disk")
    page.get_by_role("dialog").get_by_role("button", name="Cordon", exact=True).click()
    expect(page.get_by_text(re.compile("by otto.*: new disk"))).to_be_visible()
    tab(page, "Tokens").click()
    expect(page.get_by_role("row").filter(has_text="talkers").or_(page.get_by_role("table"))).to_be_visible()
    expect(page.get_by_role("button", name="Create token")).to_have_count(0)


def test_an_admin_of_fab_makes_a_token_and_sees_who_did_what(signed: Any, stand: Stand) -> None:
    page = signed("admin")
    tab(page, "Tokens").click()
    page.get_by_role("button", name="Create token").click()
    dialog = page.get_by_role("dialog", name="Create agent token")
    dialog.get_by_label("Name").fill("of-fab")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("region", name="token value")).to_contain_text("tw_agent_")
    tab(page, "Events").click()
    expect(page.get_by_role("row").filter(has_text="of-fab")).to_contain_text("admin")


def test_somebody_without_a_role_is_refused_and_told_so(signed: Any, proxy: nginx.Nginx) -> None:
    page = signed("nobody")
    answer = page.request.get(f"{proxy.base}/tradewind/v1/agents")
    assert (answer.status, answer.json()["error"]) == (403, "not_permitted")


def test_without_signing_in_nothing_is_told(fab: Plane) -> None:
    assert httpx.get(f"{fab.url}/tradewind/v1/agents").status_code == 401


def test_register_asks_for_the_address_that_the_plane_does_not_know(signed: Any, proxy: nginx.Nginx) -> None:
    """And does not take the browser's for it."""
    page = signed("admin")
    page.goto(f"{proxy.base}/plugin/remote-agents/register")
    page.get_by_label("Repository", exact=True).fill("https://git.example.com/dags.git")
    expect(page.get_by_text("does not know the address at which agents reach it").first).to_be_visible()
    settings = page.get_by_role("region", name="settings file")
    expect(settings).to_have_count(0)
    page.get_by_label("Address for agents").fill("https://k3.external.example.com/d4f2")
    expect(settings).to_contain_text('plane_url = "https://k3.external.example.com/d4f2"')
    assert urlsplit(proxy.base).netloc not in page.locator("body").inner_text()
