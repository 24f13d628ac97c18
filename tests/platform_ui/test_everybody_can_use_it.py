"""axe-core finds nothing on the pages of Deployments, light or dark, wide or narrow; all of it works by keyboard; long lists stay fast."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from support import plane_archive
from support.axe import needs_axe, violations
from support.page_requests import ask
from support.platform_website import Website

PAGES = [
    "/",
    "/deployments",
    "/deployments/new",
    "/deployments/sales",
    "/deployments/sales/operations",
    "/deployments/sales/settings",
    "/deployments/sales/settings/hibernation",
    "/deployments/sales/settings/maintenance",
    "/deployments/sales/settings/version",
    "/deployments/sales/settings/danger",
    "/operations",
]

_SETTLED = "each => Promise.all(each.getAnimations({subtree: true}).map(one => one.finished))"


@needs_axe
@pytest.mark.parametrize(
    ("dark", "size"), [(False, (1440, 900)), (True, (420, 860))], ids=["light_wide", "dark_narrow"]
)
def test_every_page_of_a_deployment_is_clean(open_page: Any, dark: bool, size: tuple[int, int]) -> None:
    page = open_page("/", dark=dark, size=size)
    origin = {"Origin": page.url.rstrip("/")}
    assert page.request.post("/v1/deployments", data={"name": "sales"}, headers=origin).ok
    page.goto("/deployments/sales")
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    wrong = []
    for path in PAGES:
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_text("Loading")).to_have_count(0)
        wrong += [f"{path}: {each}" for each in violations(page)]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth + 1"):
            wrong.append(f"{path} is wider than the window")
    assert not wrong, "\n".join(wrong)


@needs_axe
@pytest.mark.parametrize(
    ("dark", "size"), [(False, (1280, 800)), (True, (390, 844))], ids=["light_wide", "dark_narrow"]
)
def test_maintenance_with_all_that_it_can_show_is_clean(
    open_page: Any, website: Website, dark: bool, size: tuple[int, int]
) -> None:
    website.clock.move_to_tuesday_noon()
    page = open_page("/", dark=dark, size=size)
    ask(page, "/v1/deployments", {"name": "sales"})
    page.goto("/deployments/sales")
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    maintenance = {
        "windows": [{"opens_at_cron": "0 22 * * *", "minutes": 240}],
        "clean_up": {"cron": "0 3 * * 0", "keep_days": 90},
        "backups": {"cron": "0 1 * * *", "keep_days": 14},
    }
    ask(page, "/v1/deployments/sales/maintenance", maintenance, method="patch")
    ask(page, "/v1/deployments/sales/clean-up", {"now": True})
    page.goto("/deployments/sales/settings/maintenance")
    expect(page.get_by_text("dag_run 3")).to_be_visible()
    wrong = violations(page)
    for opener in ("Add window", "Remove window 1", "Edit schedule of clean-ups", "Clean up now"):
        page.get_by_role("button", name=opener).click()
        dialog = page.get_by_role("dialog").or_(page.get_by_role("alertdialog"))
        expect(dialog).to_be_visible()
        dialog.evaluate(_SETTLED)  # half transparent, its colours have too little contrast
        wrong += [f"{opener}: {each}" for each in violations(page)]
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
    assert not wrong, "\n".join(wrong)


@needs_axe
@pytest.mark.parametrize(
    ("dark", "size"), [(False, (1280, 800)), (True, (390, 844))], ids=["light_wide", "dark_narrow"]
)
def test_the_history_of_deploys_is_clean(open_page: Any, dark: bool, size: tuple[int, int]) -> None:
    page = open_page("/", dark=dark, size=size)
    ask(page, "/v1/deployments", {"name": "sales"})
    page.goto("/deployments/sales")
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    git = {"commit": "0123456789abcdef", "branch": "a-branch-with-a-long-name", "is_dirty": True}
    page.goto("/deployments/sales/deploys")
    for text in ("ONE = 1\n", "TWO = 2\n"):
        digest, archive = plane_archive.made(text)
        path, origin = "/v1/deployments/sales", page.url.partition("/deployments")[0]
        sent = page.request.put(f"{path}/archives/{digest}", data=archive, headers={"Origin": origin})
        assert sent.ok, sent.text()
        ask(page, f"{path}/deploys", {"digest": digest, "description": "a sentence " * 20, "git": git})
        expect(page.get_by_role("row").filter(has_text=digest[:19])).to_contain_text("current")
    wrong = violations(page)
    page.get_by_role("button", name="Roll back").click()
    dialog = page.get_by_role("dialog")
    dialog.evaluate(_SETTLED)  # half transparent, its colours have too little contrast
    wrong += violations(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
    assert not wrong, "\n".join(wrong)


@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_sign_in_page_is_clean(open_page: Any, dark: bool) -> None:
    page = open_page("/sign-in?signed-out", user=None, dark=dark)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert violations(page) == []


def test_a_deployment_is_made_by_keyboard_alone(open_page: Any) -> None:
    page = open_page("/deployments/new")
    page.get_by_label("Name").focus()
    page.keyboard.type("sales")
    page.keyboard.press("Enter")
    expect(page.get_by_text("sales runs")).to_be_visible()
    opener = page.get_by_role("link", name="Open sales")
    for _ in range(40):
        if opener.evaluate("each => each === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="sales")).to_be_visible()


def test_the_first_key_leads_past_the_rail(open_page: Any) -> None:
    page = open_page("/deployments")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()


def test_500_deployments_are_drawn_and_filtered_within_a_second(open_page: Any, website: Website) -> None:
    page = open_page("/")
    one = {
        "id": "00000000-0000-7000-8000-000000000000",
        "slug": "d2345abc",
        "name": "sales",
        "workspace": "00000000-0000-7000-8000-000000000001",
        "workspace_name": "default",
        "cluster_name": "local",
        "description": "Orders",
        "phase": "running",
        "health": "healthy",
        "health_reason": "",
        "people_url": "https://d2345abc.example.com",
        "observed_revision": 1,
        "version": "3.3.2",
        "workload": {
            "agents": 2,
            "healthy_agents": 1,
            "running": 3,
            "queued": 4,
            "at": "2026-03-01T12:00:00Z",
        },
        "next_event": "",
        "next_event_at": None,
        "updated_at": "2026-03-01T12:00:00Z",
        "updated_by": "ada",
    }
    items = [{**one, "id": f"{number}", "name": f"sales-{number}"} for number in range(500)]
    page.route(
        "**/v1/deployments?*",
        lambda route: route.fulfill(json={"items": items, "total": 500, "limit": 1000, "offset": 0}),
    )
    page.goto("/deployments")
    expect(page.get_by_text("1 to 50 of 500")).to_be_visible()
    milliseconds = page.evaluate(
        """async () => {
          const field = document.querySelector("input[type=search]");
          const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
          const begun = performance.now();
          set.call(field, "sales-499");
          field.dispatchEvent(new Event("input", {bubbles: true}));
          while (document.querySelectorAll("tbody tr").length !== 1) await new Promise(requestAnimationFrame);
          return performance.now() - begun;
        }"""
    )
    assert milliseconds < 1000


def test_on_a_phone_the_tab_that_one_is_on_is_in_view(open_page: Any) -> None:
    page = open_page("/", size=(390, 844))
    ask(page, "/v1/deployments", {"name": "sales"})
    for part, name in (("", "Overview"), ("/environment", "Environment"), ("/settings", "Settings")):
        page.goto(f"/deployments/sales{part}")
        tabs = page.get_by_role("navigation", name="Deployment sales")
        expect(tabs.get_by_role("link", name=name, exact=True)).to_be_in_viewport(ratio=0.9)
