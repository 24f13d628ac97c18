"""What the pages of a Deployment say while its Airflow cannot be asked: a sentence, and what to do about it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from support.page_requests import ask
from support.platform_acts import created
from support.platform_website import Website
from tradewind_platform.store.tables import Deployment

ASKED = (
    "remote-agents",
    "remote-agents/tokens",
    "remote-agents/register",
    "queues",
    "events",
    "settings/advanced",
)
NOT_ASKED = (
    "",
    "environment",
    "backups",
    "deploys",
    "operations",
    "logs",
    "access",
    "settings",
    "settings/version",
    "settings/danger",
)

SENTENCES = {
    "creating": "The Deployment is being made.",
    "asleep": "The Deployment hibernates. Its agents wait; wake it up under Settings › Hibernation.",
    "upgrading": "The Deployment is being upgraded. Its agents go on with what they have",
    "waking": "The Deployment wakes up.",
    "restoring": "The Deployment is being restored.",
    "purge_failed": "The Deployment is deleted, and a part of its data is erased.",
    "deleted": "restore it under Settings › Danger zone",
}


def test_an_airflow_that_does_not_answer_is_named_on_each_page_that_asks_it(open_page: Any) -> None:
    page = open_page("/")
    created(page)
    for part in ASKED:
        page.goto(f"/deployments/sales/{part}")
        expect(
            page.get_by_text("The Airflow of the Deployment 'sales' does not answer.").first
        ).to_be_visible()
        expect(page.get_by_text("Its health says why").first).to_be_visible()
        expect(page.get_by_role("heading", level=1, name="sales")).to_be_visible()
    for part in NOT_ASKED:
        page.goto(f"/deployments/sales/{part}".rstrip("/"))
        expect(page.get_by_role("heading", level=1, name="sales")).to_be_visible()
        expect(page.get_by_text("Loading")).to_have_count(0)
        expect(page.get_by_text("Page not found")).to_have_count(0)


@pytest.mark.parametrize("phase", SENTENCES)
def test_a_deployment_that_does_not_run_says_why_and_what_to_do(
    open_page: Any, website: Website, phase: str
) -> None:
    page = open_page("/")
    created(page)
    with website.platform.store.across_organizations() as db:
        db.query(Deployment).one().phase = phase
    for part in ("remote-agents", "queues", "events", "settings/advanced"):
        page.goto(f"/deployments/sales/{part}")
        expect(page.get_by_text(SENTENCES[phase]).first).to_be_visible()


def test_a_platform_that_is_away_is_said_and_what_was_there_stays(open_page: Any) -> None:
    page = open_page("/")
    ask(page, "/v1/deployments", {"name": "sales"})
    page.goto("/deployments")
    expect(page.get_by_role("link", name="sales", exact=True)).to_be_visible()
    page.route("**/v1/**", lambda route: route.abort())
    expect(page.get_by_text("does not answer").first).to_be_visible(timeout=30_000)
    expect(page.get_by_role("link", name="sales", exact=True)).to_be_visible()
    page.unroute("**/v1/**")
    expect(page.get_by_text("does not answer")).to_have_count(0, timeout=60_000)
