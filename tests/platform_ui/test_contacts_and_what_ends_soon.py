"""The page of a Deployment says whom to write to, and pages say ahead that an agent token ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import expect

from support.axe import needs_axe, violations
from support.platform_acts import created
from support.platform_website import Website
from tradewind_platform.services import workloads
from tradewind_protocol.access import ExpiringToken, Workload


def test_contacts_are_given_shown_and_changed(open_page: Any) -> None:
    page = open_page("/deployments/new")
    page.get_by_label("Name").fill("sales")
    page.get_by_role("button", name="Advanced settings").click()
    page.get_by_label("Contact e-mails").fill("data@acme.example\n\nops@acme.example\n")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("sales runs")).to_be_visible(timeout=60_000)
    page.goto("/deployments/sales")
    details = page.get_by_role("region", name="Details")
    expect(details.get_by_role("link", name="ops@acme.example")).to_have_attribute(
        "href", "mailto:ops@acme.example"
    )
    page.goto("/deployments/sales/settings")
    field = page.get_by_label("Contact e-mails")
    expect(field).to_have_value("data@acme.example\nops@acme.example")
    field.fill("nobody")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("body.contact_emails.0", exact=False)).to_be_visible()
    field.fill("ops@acme.example")
    expect(page.get_by_text("This restarts the API servers")).to_have_count(0)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved")
    assert page.request.get("/v1/deployments/sales").json()["contact_emails"] == ["ops@acme.example"]


def tell(website: Website, deployment: str, *, days: float) -> None:
    """As its API server does."""
    now = website.clock()
    token = ExpiringToken(
        name="frankfurt", issued_at=now - timedelta(days=300), expires_at=now + timedelta(days=days)
    )
    told = Workload(agents=1, healthy_agents=1, running=0, queued=0, expiring_tokens=(token,))
    with website.platform.store.transaction(website.organization) as db:
        workloads.note(db, UUID(deployment), told, now=now)


def test_home_and_the_deployment_say_that_an_agent_token_ends_soon(open_page: Any, website: Website) -> None:
    page = open_page("/")
    created(page)
    sales = page.request.get("/v1/deployments/sales").json()["id"]
    tell(website, sales, days=20)
    page.goto("/")
    news = page.get_by_role("region", name="Needs attention")
    news.get_by_role("link", name="sales: The agent token 'frankfurt' expires at").click()
    row = page.get_by_role("row", name="Agent tokens valid")
    expect(row).to_contain_text("yes")
    expect(row).to_contain_text("tokens rotate frankfurt --expires-in-days 90")
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    tell(website, sales, days=9)
    page.reload()
    expect(row).to_contain_text("no")
    expect(page.get_by_text("degraded", exact=True)).to_be_visible()


@needs_axe
@pytest.mark.parametrize(
    ("dark", "size"), [(False, (1440, 900)), (True, (390, 844))], ids=["light-wide", "dark-narrow"]
)
def test_the_pages_are_clean(open_page: Any, website: Website, dark: bool, size: tuple[int, int]) -> None:
    page = open_page("/", dark=dark, size=size)
    created(page)
    sales = page.request.get("/v1/deployments/sales").json()
    tell(website, sales["id"], days=9)
    address = "a-team-with-a-long-name-for-its-data@a-long-domain.acme.example"
    page.request.patch(
        "/v1/deployments/sales", data={"contact_emails": [address]}, headers={"Origin": website.url}
    )
    wrong = []
    for path in ("/", "/deployments/sales", "/deployments/sales/settings"):
        page.goto(path)
        expect(page.get_by_text("Loading")).to_have_count(0)
        wrong += [f"{path}: {one}" for one in violations(page)]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append(f"{path}: wider than the screen")
    assert not wrong, "\n".join(wrong)
