"""Deployments by the pages: made with live steps, found among many, changed, deleted and restored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

from playwright.sync_api import expect

from support.fake_driver import FakeDriver
from support.page_requests import ask
from support.patience import eventually
from support.platform_acts import created
from support.platform_website import Website
from tradewind_platform.controller.controller import Controller
from tradewind_platform.controller.platform_client import PlatformClient
from tradewind_platform.domain.roles import Binding, Role, Target
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.services import workloads
from tradewind_protocol.access import Workload


def test_a_deployment_is_made_and_its_steps_are_seen(open_page: Any) -> None:
    page = open_page("/deployments")
    expect(page.get_by_text("No Deployments yet")).to_be_visible()
    created(page)
    steps = page.get_by_role("list", name="Steps of create")
    for step in ("database", "configure", "migrate", "start", "route"):
        expect(steps.get_by_text(step, exact=True)).to_be_visible()
    page.get_by_role("link", name="Open sales").click()
    expect(page.get_by_role("heading", name="sales")).to_be_visible()
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="address for agents")).to_contain_text(
        re.compile(r"https://c2345abc\.external\.example\.com/d[a-z2-7]+")
    )


def test_a_deployment_is_made_with_allowed_ip_ranges_and_variables(open_page: Any, website: Website) -> None:
    page = open_page("/deployments/new")
    page.get_by_label("Name").fill("sales")
    page.get_by_role("button", name="Advanced settings").click()
    ranges = page.get_by_label("Allowed addresses")
    ranges.fill("10.0.0.1/8")
    page.get_by_label("Environment variables").fill("REGION=eu\n\nGREETING=a=b\n")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("'10.0.0.1/8' is no network", exact=False)).to_be_visible()
    ranges.fill("10.0.0.0/8\n203.0.113.7")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("sales runs")).to_be_visible(timeout=60_000)
    (document,) = website.driver.given.values()
    assert document.environment == {"REGION": "eu", "GREETING": "a=b"}
    assert document.configuration["tradewind"]["allowed_addresses"] == "10.0.0.0/8, 203.0.113.7/32"


def test_a_deployment_has_a_size_of_its_cluster_and_gets_another_one(
    open_page: Any, website: Website, tmp_path: Path
) -> None:
    page = open_page("/")
    hosts = {"agents_host": "{id}.example.com", "people_domain": "{id}.example.com"}
    (tmp_path / "token").write_text(ask(page, "/v1/clusters", {"name": "north", **hosts})["token"])
    driver = FakeDriver()
    client = PlatformClient(website.url, tmp_path / "token")
    with working(Controller(client, driver, "fake", "1", wait_seconds=1, sizes=("small", "large"))):
        page.goto("/deployments/new")
        page.get_by_label("Name").fill("sales")
        page.get_by_label("Cluster").select_option("local")
        expect(page.get_by_label("Size")).to_have_count(0)
        page.get_by_label("Cluster").select_option("north")
        page.get_by_label("Size").select_option("small")
        page.get_by_role("button", name="Create").click()
        expect(page.get_by_text("sales runs")).to_be_visible(timeout=60_000)
        page.goto("/deployments/sales/settings")
        page.get_by_label("Size").select_option("large")
        expect(page.get_by_text("This restarts the API servers")).to_be_visible()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("an operation applies it")).to_be_visible()
        eventually(
            lambda: {one.spec["size"] for one in driver.given.values()} == {"large"},
            timeout=30,
            what="the cluster is not told the new size",
        )
        page.goto("/organization/clusters/north")
        expect(page.get_by_text("small, large")).to_be_visible()


@contextmanager
def working(controller: Controller) -> Iterator[None]:
    thread = Thread(target=controller.run)
    thread.start()
    try:
        yield
    finally:
        controller.stop()
        thread.join()


def test_a_step_that_fails_says_why_and_can_be_tried_again(open_page: Any, website: Website) -> None:
    website.driver.failing["migrate"] = StepFailed("the disk is full. Free some space.")
    page = open_page("/deployments/new")
    page.get_by_label("Name").fill("sales")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("The Deployment could not be created")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("the disk is full").first).to_be_visible()
    website.driver.failing.clear()
    page.get_by_role("link", name="Open sales").click()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()


def test_two_who_save_at_once_are_told_what_changed(open_page: Any) -> None:
    mine = open_page("/")
    created(mine)
    theirs = open_page("/deployments/sales/settings")
    mine.goto("/deployments/sales/settings")
    mine.get_by_label("Description").fill("Mine")
    theirs.get_by_label("Description").fill("Theirs")
    theirs.get_by_role("button", name="Save").click()
    expect(theirs.get_by_text("Saved")).to_be_visible()
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_text("Description is now “Theirs”, and was “Orders and invoices”.")).to_be_visible()
    mine.get_by_role("button", name="Keep my changes").click()
    mine.get_by_role("button", name="Save").click()
    expect(mine.get_by_text("Saved")).to_be_visible()
    expect(mine.get_by_label("Description")).to_have_value("Mine")


def test_a_deployment_is_deleted_by_its_name_and_restored(open_page: Any) -> None:
    page = open_page("/")
    created(page)
    page.goto("/deployments/sales/settings/danger")
    page.get_by_role("button", name="Protect", exact=True).click()
    page.get_by_role("alertdialog").or_(page.get_by_role("dialog")).get_by_role(
        "button", name="Protect"
    ).click()
    expect(page.get_by_text("It is protected: it cannot be deleted.")).to_be_visible()
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    page.get_by_role("button", name="Remove protection").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove protection").click()
    expect(page.get_by_role("button", name="Delete")).to_be_enabled()
    page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_label("Type sales to confirm").fill("orders")
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog).to_be_visible()  # the name is another one, so nothing was sent
    dialog.get_by_label("Type sales to confirm").fill("sales")
    dialog.get_by_label("Reason").fill("moved away")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("This Deployment is deleted.")).to_be_visible()
    page.get_by_role("button", name="Restore").click()
    page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    expect(page.get_by_text("This Deployment is deleted.")).to_be_hidden()
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    page.goto("/organization/audit?action=deployment.delete")
    expect(page.get_by_text("moved away")).to_be_visible()


def test_a_purge_that_failed_says_so_and_is_repeated(open_page: Any, website: Website) -> None:
    page = open_page("/")
    created(page)
    website.driver.failing["erase"] = StepFailed("the disk is read-only", final=True)
    page.goto("/deployments/sales/settings/danger")
    for act in ("Delete", "Purge"):
        page.get_by_role("button", name=act).click()
        dialog = page.get_by_role("alertdialog")
        dialog.get_by_label("Type sales to confirm").fill("sales")
        dialog.get_by_role("button", name=act).click()
        expect(dialog).to_be_hidden()
        expect(page.get_by_text("This Deployment is deleted").first).to_be_visible()
    expect(page.get_by_text("the purge of its data failed")).to_be_visible()
    expect(page.get_by_text("purge failed", exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name="Restore")).to_have_count(0)
    expect(page.get_by_role("button", name="Purge")).to_be_enabled()
    page.goto("/deployments/sales")
    expect(page.get_by_text("the disk is read-only").first).to_be_visible()
    website.driver.failing.clear()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("There is no Deployment sales")).to_be_visible()


def test_a_deployment_is_moved_to_another_workspace(open_page: Any) -> None:
    page = open_page("/")
    created(page)
    page.goto("/deployments/sales/settings")
    expect(page.get_by_label("Description")).to_be_visible()
    expect(page.get_by_role("button", name="Move to another workspace")).to_have_count(0)
    ask(page, "/v1/workspaces", {"name": "lab"})
    page.reload()
    page.get_by_role("button", name="Move to another workspace").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New workspace").select_option("lab")
    dialog.get_by_label("Reason").fill("the lab runs it")
    dialog.get_by_role("button", name="Move").click()
    expect(page.get_by_text("It is in the workspace lab")).to_be_visible()
    page.get_by_label("Description").fill("Moved")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    page.goto("/organization/audit?action=deployment.move")
    expect(page.get_by_text("the lab runs it")).to_be_visible()
    expect(page.get_by_text("default → lab")).to_be_visible()


def test_a_viewer_is_shown_no_act_that_the_role_refuses(open_page: Any, website: Website) -> None:
    owner = open_page("/")
    created(owner)
    found = owner.request.get("/v1/deployments/sales").json()
    scope = Target(UUID(found["workspace"]), UUID(found["id"]))
    website.person("vera", Binding(Role.DEPLOYMENT_VIEWER, scope))
    page = open_page("/deployments", user="vera")
    expect(page.get_by_role("link", name="sales", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="New Deployment")).to_have_count(0)
    expect(page.get_by_role("link", name="Organization")).to_have_count(0)
    page.goto("/deployments/sales/settings")
    expect(page.get_by_text("Your role cannot change this Deployment")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    expect(page.get_by_role("link", name="Danger")).to_have_count(0)
    page.goto("/deployments/orders")
    expect(page.get_by_text("There is no Deployment orders")).to_be_visible()


def test_hibernation_is_planned_and_asked_for(open_page: Any, website: Website) -> None:
    website.clock.move_to_tuesday_noon()  # at a weekend the schedule would put it to sleep by itself
    page = open_page("/")
    created(page)
    page.goto("/deployments/sales/settings/hibernation")
    page.get_by_role("button", name="Add schedule").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Wakes up at").fill("at midnight")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_label("Wakes up at")).to_have_accessible_description(
        re.compile("no cron expression of five fields")
    )
    dialog.get_by_label("Wakes up at").fill("0 6 * * 1-5")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("cell", name="Mondays to Fridays at 06:00 UTC")).to_be_visible()
    expect(page.get_by_role("cell", name="0 19 * * 1-5")).to_be_visible()
    page.get_by_role("button", name="Hibernate").click()
    page.get_by_role("dialog").get_by_role("button", name="Hibernate").click()
    expect(page.get_by_text("This Deployment hibernates.")).to_be_visible()
    page.get_by_role("button", name="Wake up").click()
    page.get_by_role("dialog").get_by_role("button", name="Wake up").click()
    expect(page.get_by_text("This Deployment hibernates.")).to_be_hidden()


def test_two_who_change_the_hibernation_at_once_are_told_what_it_is_now(open_page: Any) -> None:
    page = open_page("/")
    created(page)
    page.goto("/deployments/sales/settings/hibernation")
    page.get_by_role("button", name="Add schedule").click()
    dialog = page.get_by_role("dialog")
    nights = {"hibernate_at_cron": "0 22 * * *", "wake_at_cron": "0 4 * * *"}
    weekends = {"hibernate_at_cron": "0 20 * * 5", "wake_at_cron": "0 5 * * 1", "is_enabled": False}
    ask(page, "/v1/deployments/sales/hibernation", {"schedules": [nights]}, method="put")  # somebody else
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_contain_text(
        "The hibernation of this Deployment was changed since you opened this form"
    )
    expect(dialog).to_contain_text("The schedules are now: from 0 22 * * * to 0 4 * * *.")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("cell", name="0 22 * * *")).to_be_visible()
    expect(page.get_by_role("cell", name="0 19 * * 1-5")).to_be_visible()
    page.get_by_role("button", name="Remove schedule 1").click()
    ask(page, "/v1/deployments/sales/hibernation", {"schedules": [weekends, nights]}, method="put")
    dialog.get_by_role("button", name="Remove").click()
    expect(dialog).to_contain_text(
        "now: from 0 20 * * 5 to 0 5 * * 1, not followed; from 0 22 * * * to 0 4 * * *."
    )
    dialog.get_by_role("button", name="Remove").click()
    expect(dialog).to_be_hidden()
    left = page.request.get("/v1/deployments/sales/hibernation").json()["schedules"]
    assert [one["hibernate_at_cron"] for one in left] == ["0 20 * * 5"]


def test_the_filters_stand_in_the_address(open_page: Any) -> None:
    page = open_page("/")
    created(page, "sales")
    created(page, "risk")
    page.goto("/deployments")
    page.get_by_label("Search Deployments").fill("ris")
    expect(page.get_by_role("link", name="sales", exact=True)).to_have_count(0)
    page.wait_for_url("**/deployments?q=ris")
    page.reload()
    expect(page.get_by_role("link", name="risk", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="sales", exact=True)).to_have_count(0)


def test_the_list_shows_agents_work_and_what_comes_next(open_page: Any, website: Website) -> None:
    website.clock.move_to_tuesday_noon()  # at night it would sleep
    page = open_page("/")
    created(page, "sales")
    created(page, "risk")
    found = page.request.get("/v1/deployments/sales").json()
    told = Workload(agents=3, healthy_agents=2, running=5, queued=7)
    with website.platform.store.transaction(website.organization) as db:
        workloads.note(db, UUID(found["id"]), told, now=website.platform.clock())
    nights = {"hibernate_at_cron": "0 19 * * *", "wake_at_cron": "0 7 * * *"}
    ask(page, "/v1/deployments/sales/hibernation", {"schedules": [nights]}, method="put")
    page.goto("/deployments")

    def cells(name: str) -> dict[str, str]:
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))
        expect(row).to_be_visible()
        heads = page.get_by_role("columnheader").all_inner_texts()
        return dict(zip(heads, row.get_by_role("cell").all_inner_texts(), strict=True))

    expect(page.get_by_role("cell", name="healthy")).to_have_count(2)
    sales, risk = cells("sales"), cells("risk")
    assert (sales["Agents"], sales["Running"], sales["Queued"]) == ("2 of 3", "5", "7")
    assert (sales["Airflow"], sales["Health"]) == ("3.3.2", "healthy")
    assert re.match(r"(hibernates|wakes up) in \d+ ", sales["Next event"])
    assert (risk["Agents"], risk["Running"], risk["Next event"]) == ("–", "–", "none")
    page.get_by_role("link", name="2 of 3").click()
    page.wait_for_url("**/deployments/sales/remote-agents")
    page.goto("/")
    expect(page.get_by_role("region", name="default")).to_contain_text("2 of 3 agents, 7 queued")


def test_a_newer_version_is_named_in_the_list(open_page: Any) -> None:
    page = open_page("/")
    ask(page, "/v1/deployments", {"name": "old", "version": "3.2.0"})
    page.goto("/deployments")
    page.get_by_role("link", name="↑ 3.3.2 available").click()
    page.wait_for_url("**/deployments/old/settings/version")
