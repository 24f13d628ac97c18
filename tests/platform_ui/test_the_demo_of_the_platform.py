"""What `make demo-platform` prints, opened in a browser: one sign-in, two Deployments, and the Airflow of each."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from support.patience import stretched
from tradewind.embedded.processes import wait_until
from tradewind.errors import BadUsage
from tradewind.gateway import program

CHECKOUT = Path(__file__).parents[2]

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]


@dataclass
class Demo:
    """The command as it runs, and what it has printed so far."""

    process: subprocess.Popen[str]
    printed: Path

    def link(self) -> str:
        found = re.search(r"sign in once, for both: (http://\S+)", self.printed.read_text())
        return "" if found is None else found.group(1)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    try:
        program.find(None)
    except BadUsage as missing:
        pytest.skip(f"{missing.message}: `make network` installs it")
    printed = tmp_path_factory.mktemp("demo") / "printed"
    env = {key: value for key, value in os.environ.items() if not key.startswith("TRADEWIND_")}
    with printed.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "tradewind", "platform", "demo", "--checkout", str(CHECKOUT)],
            env={**env, "COLUMNS": "400"},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    running = Demo(process, printed)
    try:
        wait_until(
            lambda: running.link() != "" or process.poll() is not None,
            timeout=stretched(400),
            what="the demo prints its link",
            processes=[],
        )
        assert running.link(), printed.read_text()
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=stretched(90))
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture(scope="module")
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def test_scenario_1_the_link_of_the_demo_signs_in_once(demo: Demo, page: Page) -> None:
    begun = time.monotonic()
    page.goto(demo.link())
    expect(page.get_by_role("button", name="Sign in as ada")).to_be_visible()
    print(f"from the link to its page: {time.monotonic() - begun:.1f} s")
    page.get_by_role("button", name="Sign in as ada").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    other = page.context.new_page()
    other.goto(demo.link())
    expect(other.get_by_text(re.compile("used|expired|no longer")).first).to_be_visible()
    other.close()


def test_scenario_1_both_deployments_are_there_with_an_agent_each(demo: Demo, page: Page) -> None:
    page.goto(f"{demo.link().partition('/welcome')[0]}/deployments")
    for name in ("sales", "research"):
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))
        expect(row).to_contain_text("healthy")
        expect(row).to_contain_text("1 of 1", timeout=stretched(60) * 1000)


@pytest.mark.parametrize("name", ["sales", "research"])
def test_scenario_1_its_airflow_opens_without_another_sign_in(demo: Demo, page: Page, name: str) -> None:
    page.goto(f"{demo.link().partition('/welcome')[0]}/deployments/{name}")
    page.get_by_role("link", name=re.compile("Open Airflow")).click()
    page.wait_for_url(re.compile(r"^http://d\w+\.localhost:\d+/"))
    expect(page.locator('a[href$="/dags"]').first).to_be_visible(timeout=stretched(60) * 1000)
    runs = page.evaluate("async () => (await (await fetch('/api/v2/dags/~/dagRuns')).json()).dag_runs")
    assert runs and {one["state"] for one in runs} == {"success"}


def test_scenario_1_the_demo_ends_with_ctrl_c_and_leaves_nothing(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    demo.process.wait(timeout=stretched(90))
    assert demo.process.returncode in (0, 130), demo.printed.read_text()
