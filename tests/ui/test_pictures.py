"""The pictures of the page in the documentation: two sizes, light and dark. `make ui-pictures` takes them anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

PICTURES = os.environ.get("TRADEWIND_PICTURES", "")
SIZES = {"wide": (1440, 900), "narrow": (820, 1100)}
PAGES = {"agents": "", "queues": "queues", "tokens": "tokens", "events": "events", "register": "register"}

pytestmark = pytest.mark.skipif(not PICTURES, reason="`make ui-pictures` takes pictures")


@pytest.fixture(scope="module")
def scene(plane: Any, working_site: str) -> Iterator[None]:
    """A Deployment on a usual day."""
    from support.talkers import Stand

    with Stand(plane) as stand, plane.client() as http:
        environment = {"python": "3.12.3", "airflow": "3.3.2"}
        stand.agent(
            "lisbon",
            environments=[
                {"name": "default", "queues": ["default", "reports"], "slots": 16, **environment},
                {"name": "ml", "queues": ["gpu"], "slots": 2, **environment},
            ],
            components=["worker", "triggerer"],
            trigger_capacity=1000,
            findings=[
                {
                    "check": "disk",
                    "message": "/var/lib/tradewind has 180 MB left",
                    "remedy": "Free some space, or move state_dir.",
                }
            ],
        )
        stand.agent("milan")
        stand.agent("oslo")
        for agent in http.get("/tradewind/v1/agents").json()["items"]:
            if agent["name"] == "oslo":
                http.post(
                    f"/tradewind/v1/agents/{agent['id']}/cordon", json={"reason": "new disk on Tuesday"}
                )
        yield


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_pictures_are_taken(open_page: Any, scene: None, size: str, dark: bool) -> None:
    into = Path(PICTURES)
    into.mkdir(parents=True, exist_ok=True)
    page = open_page(dark=dark, size=SIZES[size])
    tone = "dark" if dark else "light"
    for name, path in PAGES.items():
        page.goto(page.url.split("/plugin/")[0] + f"/plugin/remote-agents/{path}")
        expect(page.get_by_role("navigation", name="Remote Agents")).to_be_visible()
        page.wait_for_timeout(2000)
        page.screenshot(path=into / f"{name}-{size}-{tone}.png")
    page.goto(page.url.split("/plugin/")[0] + "/plugin/remote-agents/")
    page.get_by_role("link", name="frankfurt-1", exact=True).click()
    expect(page.get_by_role("region", name="Running attempts")).to_be_visible()
    page.wait_for_timeout(1000)
    page.screenshot(path=into / f"agent-{size}-{tone}.png")
