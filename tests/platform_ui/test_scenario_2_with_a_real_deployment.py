"""Scenario 2 by the pages, from the link that the platform prints to a Dag's run: a real platform, Airflow and agent.

The tests are steps of one walk, in their order. `make ui-pictures` keeps what is seen on it; with TRADEWIND_EVERY_PICTURE=1,
of every page at both sizes, light and dark.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from support import directories
from support.installed import agent_settings, environments
from support.patience import stretched
from support.platform_parts import PASSWORD
from support.platform_process import PlatformProcess
from tradewind.embedded.agent import Agent
from tradewind.embedded.processes import wait_until
from tradewind.errors import BadUsage
from tradewind.gateway import program

DAGS = Path(__file__).parents[1] / "platform" / "dags"
PICTURES = os.environ.get("TRADEWIND_PICTURES", "")
EVERY_PICTURE = bool(os.environ.get("TRADEWIND_EVERY_PICTURE", ""))
SIZES = {"wide": (1280, 800), "narrow": (390, 844)}
KEPT = {("deployments", "narrow", "dark")} | {
    (name, "wide", "light")
    for name in ("deployments", "overview", "register", "agents", "maintenance", "cluster", "audit")
}
"""The pictures of docs/how-to/platform-pages.md."""

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]


@dataclass
class Walk:
    """The platform, the browser of its administrator, and what the steps have made."""

    platform: PlatformProcess
    context: BrowserContext
    page: Page
    started: float
    directory: Path
    token: str = ""
    agent_url: str = ""
    agent: Agent | None = None

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.platform.url}{path}")
        return self.page

    def look(self, name: str, path: str, see: str) -> None:
        """Open the page wide and narrow, light and dark; `see` is on it. Nothing is wider than the window."""
        for size, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                self.page.set_viewport_size({"width": width, "height": height})
                self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                self.open(path)
                expect(self.page.get_by_text(see).first).to_be_visible()
                self.page.wait_for_load_state("networkidle")
                wide = self.page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{path} is {wide} pixels wide in a window of {width}"
                if PICTURES and (EVERY_PICTURE or (name, size, scheme) in KEPT):
                    self.page.screenshot(path=f"{PICTURES}/platform-{name}-{size}-{scheme}.png")
        self.page.set_viewport_size({"width": 1440, "height": 900})
        self.page.emulate_media(color_scheme="light")


def origin_of(page: Page) -> str:
    return "/".join(page.url.split("/")[:3])


def asked(page: Page, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the page's own server answers to the person who is signed in there: the browser resolves names of localhost."""
    found: dict[str, Any] = page.evaluate(
        """async ([path, method, body]) => {
          const headers = body === null ? {} : {"Content-Type": "application/json"};
          const answer = await fetch(path, {method, headers, body: body === null ? undefined : JSON.stringify(body)});
          return {status: answer.status, body: await answer.json().catch(() => null)};
        }""",
        [path, method, body],
    )
    return found


def _printed_link(platform: PlatformProcess) -> str:
    found = re.search(r"^(http://\S+/welcome\?code=\S+)$", platform.log.read_text(), re.MULTILINE)
    return "" if found is None else found.group(1)


@pytest.fixture(scope="module")
def walk(browser: Browser) -> Iterator[Walk]:
    try:
        program.find(None)
    except BadUsage as missing:
        pytest.skip(f"{missing.message}: `make network` installs it")
    made = environments()
    with directories.short() as directory:
        platform = PlatformProcess(directory / "platform", made.plane)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(60_000)
        started = time.monotonic()
        platform.start(administrator=False)
        found = Walk(platform, context, context.new_page(), started, directory)
        try:
            yield found
        finally:
            if found.agent is not None:
                found.agent.stop()
            context.close()
            platform.stop_everything()
            shutil.rmtree(platform.home, ignore_errors=True)


def test_scenario_1_the_printed_link_opens_a_page_and_works_once(walk: Walk) -> None:
    wait_until(
        lambda: _printed_link(walk.platform) != "",
        timeout=stretched(30),
        what="the link is printed",
        processes=[walk.platform.process],
    )
    link = _printed_link(walk.platform)
    page = walk.page
    page.goto(link)
    expect(page.get_by_role("heading", name="Create the first administrator")).to_be_visible()
    took = time.monotonic() - walk.started
    print(f"from the command to the first page: {took:.1f} s")
    assert took < stretched(20)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password", exact=False).first.fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Create administrator").click()
    expect(page.get_by_role("heading", name="Tradewind")).to_be_visible()
    page.goto(link)
    expect(page.get_by_text(re.compile("used|expired|no longer")).first).to_be_visible()


def test_scenario_2_a_deployment_is_made_on_the_page_and_becomes_healthy(walk: Walk) -> None:
    page = walk.open("/deployments/new")
    page.get_by_label("Name").fill("sales")
    page.get_by_label("Description").fill("Orders and invoices")
    begun = time.monotonic()
    page.get_by_role("button", name="Create").click()
    steps = page.get_by_role("list", name="Steps of create")
    expect(steps.get_by_text("migrate", exact=True)).to_be_visible()
    expect(page.get_by_text("sales runs")).to_be_visible(timeout=stretched(180) * 1000)
    print(f"from Create to a Deployment that runs: {time.monotonic() - begun:.1f} s")
    page.get_by_role("link", name="Open sales").click()
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    expect(page.get_by_text("No agent is connected, so no task can run.")).to_be_visible()


def test_scenario_2_the_page_register_gives_url_and_token(walk: Walk) -> None:
    page = walk.page
    page.get_by_role("link", name="Register an agent").first.click()
    page.get_by_label("Agent name").fill("frankfurt-1")
    page.get_by_label("Dag source").select_option("folder")
    page.get_by_label("Folder", exact=True).fill(str(DAGS))
    expect(page.get_by_text("Waiting for frankfurt-1 to connect")).to_be_visible()
    page.get_by_role("button", name="Create token frankfurt-1").click()
    walk.token = page.get_by_role("region", name="token value").inner_text().strip()
    assert walk.token.startswith("tw_agent_")
    shown = page.get_by_role("region", name="settings file").inner_text()
    found = re.search(r'plane_url = "(\S+)"', shown)
    assert found is not None, shown
    walk.agent_url = found.group(1)
    assert f":{walk.platform.ports['agents']}/d" in walk.agent_url


def test_scenario_2_an_agent_with_only_these_connects_and_the_page_sees_it(walk: Walk) -> None:
    settings = agent_settings(
        home=walk.directory / "agent",
        plane_url=walk.agent_url,
        token=walk.token,
        name="frankfurt-1",
        dags=DAGS,
    )
    walk.agent = Agent(settings)
    walk.agent.configure()
    walk.agent.start()
    expect(walk.page.get_by_text("is connected")).to_be_visible(timeout=stretched(120) * 1000)
    arrival = walk.page.get_by_role("region", name="Check the connection")
    expect(arrival).to_contain_text("healthy", timeout=stretched(120) * 1000)


def test_scenario_2_one_sign_in_opens_airflow_and_a_dag_runs_there(walk: Walk) -> None:
    page = walk.open("/deployments/sales")
    page.get_by_role("link", name=re.compile("Open Airflow")).click()
    page.wait_for_url(re.compile(r"^http://d\w+\.localhost:\d+/"))
    # Airflow's own page is there: the way through the platform and back has ended.
    expect(page.locator('a[href$="/dags"]').first).to_be_visible(timeout=stretched(60) * 1000)
    dag = "/api/v2/dags/sums"
    wait_until(
        lambda: asked(page, dag)["status"] == 200,
        timeout=stretched(120),
        what="the Dag is there",
        processes=[],
    )
    assert asked(page, dag, "PATCH", {"is_paused": False})["status"] == 200
    begun = asked(page, f"{dag}/dagRuns", "POST", {"dag_run_id": "first", "logical_date": None})
    assert begun["status"] == 200, begun

    def state() -> str:
        return str(asked(page, f"{dag}/dagRuns/first")["body"]["state"])

    wait_until(
        lambda: state() in ("success", "failed"),
        timeout=stretched(120),
        what="the run has ended",
        processes=[],
    )
    assert state() == "success"
    page.goto(f"{origin_of(page)}/dags/sums/runs/first")
    expect(page.get_by_text("Success").first).to_be_visible(timeout=stretched(60) * 1000)
    if EVERY_PICTURE:
        page.screenshot(path=f"{PICTURES}/platform-airflow-run-wide-light.png")


def test_scenario_2_the_lists_of_the_platform_show_what_the_plane_says(walk: Walk) -> None:
    page = walk.open("/deployments")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="sales", exact=True))
    expect(row).to_contain_text("1 of 1", timeout=stretched(60) * 1000)
    expect(row).to_contain_text("healthy")
    expect(row).to_contain_text("3.")
    page = walk.open("/deployments/sales/remote-agents")
    expect(page.get_by_role("row").filter(has_text="frankfurt-1")).to_contain_text("healthy")
    page.get_by_role("link", name="Tokens", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="frankfurt-1").first).to_be_visible()
    page = walk.open("/deployments/sales/events")
    made = page.get_by_role("row").filter(has_text="token created")
    expect(made).to_contain_text("token:frankfurt-1")
    expect(made).to_contain_text("ada")
    expect(page.get_by_text("unreadable")).to_have_count(0)


def test_the_canary_of_a_real_queue_is_seen_on_the_platform(walk: Walk) -> None:
    page = walk.open("/deployments/sales/queues")
    row = page.get_by_role("row").filter(has=page.get_by_text("default", exact=True)).first
    expect(row).to_contain_text(re.compile(r"claim \d+\.\d\d s"), timeout=stretched(120) * 1000)


def test_an_agent_is_cordoned_and_resumed_on_the_platform(walk: Walk) -> None:
    page = walk.open("/deployments/sales/remote-agents")
    page.get_by_role("link", name="frankfurt-1", exact=True).click()
    page.get_by_role("button", name="Cordon frankfurt-1").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("new disk")
    page.get_by_role("dialog").get_by_role("button", name="Cordon", exact=True).click()
    expect(page.get_by_text("by ada: new disk")).to_be_visible()
    listed = page.request.get(f"{walk.platform.url}/v1/deployments/sales/airflow/tradewind/v1/agents").json()
    assert [(one["name"], one["state"]) for one in listed["items"]] == [("frankfurt-1", "cordoned")]
    page.get_by_role("button", name="Resume frankfurt-1").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_text("by ada: new disk")).to_be_hidden()
    expect(page.get_by_text("healthy", exact=True).first).to_be_visible()


def test_allowed_addresses_under_advanced_bite_at_the_plane(walk: Walk) -> None:
    page = walk.open("/deployments/sales/settings/advanced")
    expect(page.get_by_role("heading", name="Agents may connect from anywhere")).to_be_visible()
    page.get_by_role("button", name="Add network").click()
    dialog = page.get_by_role("dialog", name="Add network")
    dialog.get_by_label("Network").fill("203.0.113.0/24")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_contain_text("This list would lock out the address you come from, 127.0.0.1.")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Add network").click()
    dialog = page.get_by_role("dialog", name="Add network")
    dialog.get_by_label("Network").fill("127.0.0.0/8")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_text("127.0.0.0/8").first).to_be_visible()


def test_maintenance_is_planned_and_a_clean_up_is_done_on_the_platform(walk: Walk) -> None:
    page = walk.open("/deployments/sales/settings/maintenance")
    for opener, submit in (
        ("Set schedule of clean-ups", "Save"),
        ("Set schedule of backups", "Save"),
        ("Add window", "Add"),
    ):
        page.get_by_role("button", name=opener).click()
        page.get_by_role("dialog").get_by_role("button", name=submit, exact=True).click()
        expect(page.get_by_role("dialog")).to_be_hidden()
    panel = page.get_by_role("region", name="Clean-up of the metadata database")
    panel.get_by_role("button", name="Clean up now").click()
    page.get_by_role("alertdialog").get_by_role("button", name=re.compile("^Clean up")).click()
    expect(panel).to_contain_text("Tables left alone", timeout=stretched(120) * 1000)
    expect(panel).to_contain_text("succeeded")


LOOKED_AT = {
    "home": ("/", "Needs attention"),
    "deployments": ("/deployments", "sales"),
    "new-deployment": ("/deployments/new", "Data policy"),
    "overview": ("/deployments/sales", "Addresses"),
    "agents": ("/deployments/sales/remote-agents", "frankfurt-1"),
    "tokens": ("/deployments/sales/remote-agents/tokens", "frankfurt-1"),
    "register": ("/deployments/sales/remote-agents/register", "Agent name"),
    "queues": ("/deployments/sales/queues", "default"),
    "events": ("/deployments/sales/events", "frankfurt-1"),
    "environment": ("/deployments/sales/environment", "Environment"),
    "backups": ("/deployments/sales/backups", "Backups"),
    "deploys": ("/deployments/sales/deploys", "Nothing was deployed"),
    "operations": ("/deployments/sales/operations", "create"),
    "logs": ("/deployments/sales/logs", "api-server-1.log on"),
    "access": ("/deployments/sales/access", "Roles that hold here"),
    "general": ("/deployments/sales/settings", "Description"),
    "version": ("/deployments/sales/settings/version", "Version"),
    "hibernation": ("/deployments/sales/settings/hibernation", "Hibernation"),
    "maintenance": ("/deployments/sales/settings/maintenance", "every day at 22:00 UTC"),
    "advanced": ("/deployments/sales/settings/advanced", "127.0.0.0/8"),
    "danger": ("/deployments/sales/settings/danger", "Protect"),
    "clusters": ("/organization/clusters", "local"),
    "cluster": ("/organization/clusters/local", "404 page not found"),
    "audit": ("/organization/audit", "deployment.create"),
    "myself": ("/me", "Your permissions"),
}


@pytest.mark.parametrize("name", LOOKED_AT)
def test_no_page_of_a_real_deployment_is_wider_than_its_window(walk: Walk, name: str) -> None:
    walk.look(name, *LOOKED_AT[name])


def test_a_plane_that_hangs_is_said_in_a_sentence_and_shown_again_when_it_is_back(walk: Walk) -> None:
    api_servers = [one for one in walk.platform.processes() if "api_server" in " ".join(one.cmdline())]
    for one in api_servers:
        one.suspend()
    try:
        page = walk.open("/deployments/sales/remote-agents")
        expect(page.get_by_text("does not answer").first).to_be_visible(timeout=stretched(90) * 1000)
    finally:
        for one in api_servers:
            one.resume()
    page = walk.open("/deployments/sales/remote-agents")
    expect(page.get_by_role("row").filter(has_text="frankfurt-1")).to_contain_text(
        "healthy", timeout=stretched(120) * 1000
    )


def test_signing_out_on_the_platform_signs_out_of_airflow(walk: Walk) -> None:
    page = walk.open("/deployments/sales")
    page.get_by_role("link", name=re.compile("Open Airflow")).click()
    page.wait_for_url(re.compile(r"^http://d\w+\.localhost:\d+/"))
    expect(page.locator('a[href$="/dags"]').first).to_be_visible(timeout=stretched(60) * 1000)
    origin, other, asking = origin_of(page), walk.context.new_page(), walk.context.new_page()

    def status() -> int:
        """Of a request in the person's session, from a page without a script that would lead elsewhere."""
        answer = asking.goto(f"{origin}/api/v2/dags")
        return 0 if answer is None else answer.status

    assert status() == 200
    other.goto(walk.platform.url)
    other.get_by_role("button", name="Sign out").click()
    other.wait_for_url(re.compile("/sign-in"))
    wait_until(
        lambda: status() == 401, timeout=stretched(5), what="the session in Airflow has ended", processes=[]
    )
    asking.goto(f"{origin}/")
    asking.wait_for_url(re.compile("/sign-in"))
