"""The log of a component on the page of its Deployment."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import expect

from support.axe import needs_axe, violations
from support.page_requests import ask
from support.patience import eventually
from support.platform_website import Website
from tradewind_platform.domain.component_logs import Component
from tradewind_platform.domain.roles import Binding, Role, Target


@pytest.fixture
def sales(open_page: Any, website: Website) -> Any:
    """A page of the owner; the Deployment `sales` runs, and its scheduler has written two lines."""
    page = open_page("/")
    made = ask(page, "/v1/deployments", {"name": "sales"})
    page.goto("/deployments/sales")
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    website.driver.write(made["slug"], Component.SCHEDULER, "it begins", "<b>it ends</b>")
    return page


def test_the_owner_of_a_deployment_reads_the_log_of_its_scheduler(sales: Any, website: Website) -> None:
    sales.get_by_role("link", name="Logs", exact=True).click()
    expect(sales.get_by_text("has no line yet")).to_be_visible()
    sales.get_by_label("Component").select_option("scheduler")
    log = sales.get_by_role("region", name="Log of scheduler")
    expect(log).to_have_text("it begins\n<b>it ends</b>", use_inner_text=True)
    expect(sales.get_by_text("scheduler.log in memory")).to_be_visible()
    slug = ask(sales, "/v1/deployments/sales", method="get")["slug"]
    website.driver.write(slug, Component.SCHEDULER, "one more")
    sales.get_by_role("button", name="Refresh").click()
    expect(log).to_contain_text("one more")


def test_who_may_not_read_values_is_offered_no_logs(sales: Any, website: Website, open_page: Any) -> None:
    found = ask(sales, "/v1/deployments/sales", method="get")
    scope = Target(UUID(found["workspace"]), UUID(found["id"]))
    website.person("grace", Binding(Role.DEPLOYMENT_VIEWER, scope))
    page = open_page("/deployments/sales", user="grace")
    expect(page.get_by_role("link", name="Access", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Logs", exact=True)).to_have_count(0)


@needs_axe
@pytest.mark.parametrize(
    ("dark", "size"), [(False, (1280, 800)), (True, (390, 844))], ids=["light_wide", "dark_narrow"]
)
def test_a_long_log_is_clean_and_no_wider_than_its_window(
    open_page: Any, website: Website, dark: bool, size: tuple[int, int]
) -> None:
    page = open_page("/", dark=dark, size=size)
    made = ask(page, "/v1/deployments", {"name": "sales"})
    website.driver.write(made["slug"], Component.API_SERVER, *["x" * 500] * 200)
    page.goto("/deployments/sales/logs")
    log = page.get_by_role("region", name="Log of api-server")
    expect(log).to_contain_text("x" * 500)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth + 1")
    log.focus()
    page.keyboard.press("End")
    eventually(lambda: log.evaluate("each => each.scrollTop > 0"), timeout=10, what="it does not scroll")
