"""axe-core finds nothing on any page, light or dark, wide or narrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

AXE = Path(__file__).parents[2] / "ui/node_modules/axe-core/axe.min.js"

# Airflow's own frame is not ours to judge.
_RUN = """async () => (await axe.run(document.querySelector('section[aria-label="Remote Agents"]') ?? document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
  rules: {region: {enabled: false}},
})).violations.map(each => `${each.id}: ${each.help}: ${each.nodes.map(node => node.html + " " + node.failureSummary).join(" | ")}`)"""


def violations(page: Any) -> list[str]:
    page.add_script_tag(path=str(AXE))
    return list(page.evaluate(_RUN))


pytestmark = pytest.mark.skipif(not AXE.exists(), reason="`make test-ui` installs axe-core")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", ["", "queues", "tokens", "addresses", "site-access", "events", "register"])
def test_every_page_is_clean(open_page: Any, stand: Any, working_site: str, path: str, dark: bool) -> None:
    finding = {"check": "disk", "message": "the disk is full", "remedy": "Free some space."}
    stand.agent("siena", findings=[finding])
    page = open_page(path, dark=dark)
    expect(page.get_by_role("navigation", name="Remote Agents")).to_be_visible()
    page.wait_for_load_state("networkidle") if path == "register" else page.wait_for_timeout(1500)
    assert violations(page) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_an_agents_page_and_its_dialog_are_clean(open_page: Any, working_site: str, dark: bool) -> None:
    page = open_page(dark=dark, size=(820, 1000))
    page.get_by_role("link", name="frankfurt-1", exact=True).click()
    expect(page.get_by_role("region", name="Running attempts")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Cordon frankfurt-1").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.wait_for_timeout(500)  # it fades in, and half-faded text has too little contrast
    page.add_script_tag(path=str(AXE))
    found = page.evaluate(
        _RUN.replace(
            "document.querySelector('section[aria-label=\"Remote Agents\"]') ?? document",
            "document.querySelector('[role=dialog]')",
        )
    )
    assert found == []
