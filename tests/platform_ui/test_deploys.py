"""What was deployed to a Deployment, on its page: listed, and rolled back by who may."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import expect

from support import plane_archive
from support.page_requests import ask
from support.platform_website import Website
from tradewind_platform.domain.roles import Binding, Role, Target

ONE, TWO = plane_archive.made("ONE = 1\n"), plane_archive.made("TWO = 2\n")
GIT = {"commit": "0123456789abcdef", "branch": "main", "repository": "", "is_dirty": True}


@pytest.fixture
def sales(open_page: Any, website: Website) -> Any:
    """A page of the owner; the Deployment `sales` has had two deploys."""
    page = open_page("/")
    ask(page, "/v1/deployments", {"name": "sales"})
    page.goto("/deployments/sales")
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    page.get_by_role("link", name="Deploys").click()
    expect(page.get_by_text("Nothing was deployed.")).to_be_visible()
    for number, (digest, archive) in enumerate((ONE, TWO), 1):
        path = f"/v1/deployments/sales/archives/{digest}"
        sent = page.request.put(path, data=archive, headers={"Origin": website.url})
        assert sent.ok, sent.text()
        ask(
            page,
            "/v1/deployments/sales/deploys",
            {"digest": digest, "description": f"number {number}", "git": GIT},
        )
        row = page.get_by_role("row").filter(has_text=f"number {number}")
        expect(row).to_contain_text("current")
    return page


def test_scenario_27_the_history_is_shown_and_rolled_back(sales: Any) -> None:
    first = sales.get_by_role("row").filter(has_text="number 1")
    expect(first).to_contain_text(ONE[0][:19])
    expect(first).to_contain_text("0123456789+ main")
    expect(first).to_contain_text("3.3.2")
    first.get_by_role("button", name="Roll back").click()
    dialog = sales.get_by_role("dialog")
    dialog.get_by_label("Description").fill("two was wrong")
    dialog.get_by_role("button", name="Roll back").click()
    newest = sales.get_by_role("row").filter(has_text="two was wrong")
    expect(newest).to_contain_text("current")
    expect(newest).to_contain_text(ONE[0][:19])
    expect(sales.get_by_role("row").filter(has_text="number 2")).not_to_contain_text("current")


def test_who_may_not_deploy_sees_the_history_alone(sales: Any, website: Website, open_page: Any) -> None:
    found = ask(sales, "/v1/deployments/sales", method="get")
    scope = Target(UUID(found["workspace"]), UUID(found["id"]))
    website.person("grace", Binding(Role.DEPLOYMENT_AUTHOR, scope))
    page = open_page("/deployments/sales/deploys", user="grace")
    expect(page.get_by_text("number 1")).to_be_visible()
    expect(page.get_by_role("button", name="Roll back")).to_have_count(0)
