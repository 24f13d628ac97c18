"""Maintenance by the pages: windows, clean-ups and backups that recur, what waits for a window, and operations that are cancelled."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import expect

from support.page_requests import ask
from support.platform_website import Website
from tradewind_platform.domain.roles import Binding, Role, Target

PATH = "/deployments/sales/settings/maintenance"
NIGHT = {"opens_at_cron": "0 22 * * *", "minutes": 240}


@pytest.fixture
def sales(open_page: Any, website: Website) -> Any:
    """A page of the owner, on a Tuesday at noon; the Deployment `sales` runs."""
    website.clock.move_to_tuesday_noon()
    page = open_page("/")
    ask(page, "/v1/deployments", {"name": "sales"})
    page.goto("/deployments/sales")
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    return page


def change(page: Any, **fields: Any) -> None:
    ask(page, "/v1/deployments/sales/maintenance", fields, method="patch")


def test_a_clean_up_recurs_and_its_rows_are_told(sales: Any, website: Website) -> None:
    sales.goto(PATH)
    panel = sales.get_by_role("region", name="Clean-up of the metadata database")
    expect(panel).to_contain_text("None begins by itself.")
    panel.get_by_role("button", name="Set schedule of clean-ups").click()
    dialog = sales.get_by_role("dialog")
    expect(dialog).to_contain_text("Means: Sundays at 03:00 UTC")
    dialog.get_by_label("Days to keep rows").fill("60")
    dialog.get_by_label("Reason").fill("the disk is small")
    dialog.get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("Sundays at 03:00 UTC 0 3 * * 0, rows are kept for 60 days")
    expect(panel).to_contain_text(re.compile(r"Nextin \d+ d "))
    panel.get_by_role("button", name="Clean up now").click()
    dialog = sales.get_by_role("alertdialog")
    expect(dialog.get_by_label("Days to keep rows")).to_have_value("60")
    dialog.get_by_role("button", name="Clean up").click()
    expect(panel).to_contain_text("dag_run 3, log 4")
    expect(panel).to_contain_text("Dags left out")
    assert [slug for slug, _ in website.driver.cleaned] == [
        sales.request.get("/v1/deployments/sales").json()["slug"]
    ]
    sales.goto("/organization/audit?action=deployment.maintenance.update")
    expect(sales.get_by_text("the disk is small")).to_be_visible()


def test_a_deployment_follows_a_minor_until_it_is_told_not_to(sales: Any) -> None:
    sales.goto(PATH)
    panel = sales.get_by_role("region", name="Upgrades")
    expect(panel).to_contain_text("None begins by itself.")

    def save(minor: str) -> None:
        panel.get_by_role("button", name="Follow a minor").click()
        sales.get_by_role("dialog").get_by_label("Minor").fill(minor)
        sales.get_by_role("dialog").get_by_role("button", name="Save").click()

    save("3.3.2")
    expect(sales.get_by_role("dialog")).to_contain_text("write 3.3")
    sales.get_by_role("dialog").get_by_label("Minor").fill("3.3")
    sales.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("Upgraded to the newest stable release of Airflow 3.3")
    save("")
    expect(panel).to_contain_text("None begins by itself.")


def test_backups_recur_until_they_are_turned_off(sales: Any) -> None:
    sales.goto(PATH)
    panel = sales.get_by_role("region", name="Backups")
    panel.get_by_role("button", name="Set schedule of backups").click()
    sales.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(panel).to_contain_text("every day at 01:00 UTC 0 1 * * *, each is kept for 14 days")
    panel.get_by_role("button", name="Turn off schedule of backups").click()
    sales.get_by_role("dialog").get_by_role("button", name="Turn off").click()
    expect(panel).to_contain_text("None begins by itself.")


def test_windows_are_added_and_removed(sales: Any) -> None:
    sales.goto(PATH)
    panel = sales.get_by_role("region", name="Maintenance windows")
    expect(panel).to_contain_text("No windows: upgrades and clean-ups begin at any time.")
    panel.get_by_role("button", name="Add window").click()
    sales.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(panel).to_contain_text("No window is open. The next one opens in ")
    expect(panel.get_by_role("cell", name="every day at 22:00 UTC")).to_be_visible()
    panel.get_by_role("button", name="Remove window 1").click()
    dialog = sales.get_by_role("dialog")
    expect(dialog).to_contain_text("Without windows, upgrades and clean-ups begin at any time.")
    dialog.get_by_role("button", name="Remove").click()
    expect(panel).to_contain_text("No windows: upgrades and clean-ups begin at any time.")


def test_what_is_wrong_is_said_at_its_field(sales: Any) -> None:
    sales.goto(PATH)
    for opener, submit, label in (
        ("Add window", "Add", "Opens at"),
        ("Set schedule of clean-ups", "Save", "Begins at"),
    ):
        sales.get_by_role("button", name=opener).click()
        dialog = sales.get_by_role("dialog")
        field = dialog.get_by_label(label)
        field.fill("at midnight")
        dialog.get_by_role("button", name=submit, exact=True).click()
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile("no cron expression of five fields"))
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_be_hidden()


def test_one_who_changes_two_things_in_a_row_is_in_nobodys_way(sales: Any) -> None:
    sales.goto(PATH)
    sales.get_by_role("button", name="Set schedule of backups").click()
    sales.route("**/v1/deployments/sales/maintenance", _only_changes)  # the page hears nothing newer
    for opener, submit in (
        (None, "Save"),
        ("Set schedule of clean-ups", "Save"),
        ("Add window", "Add"),
    ):
        if opener is not None:
            sales.get_by_role("button", name=opener).click()
        sales.get_by_role("dialog").get_by_role("button", name=submit, exact=True).click()
        expect(sales.get_by_role("dialog")).to_be_hidden()
    expect(sales.get_by_role("cell", name="every day at 22:00 UTC")).to_be_visible()


def _only_changes(route: Any) -> None:
    if route.request.method == "GET":
        route.abort()
    else:
        route.continue_()


def test_two_who_change_it_at_once_are_told_what_it_is_now(sales: Any) -> None:
    sales.goto(PATH)
    sales.get_by_role("button", name="Set schedule of backups").click()
    dialog = sales.get_by_role("dialog")
    dialog.get_by_label("Begins at").fill("0 2 * * *")
    change(sales, backups={"cron": "0 5 * * *", "keep_days": 7})  # somebody else
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("was changed since you opened this form")
    expect(dialog).to_contain_text("The schedule of backups is now: 0 5 * * *, 7 days.")
    assert sales.request.get("/v1/deployments/sales/maintenance").json()["backups"]["cron"] == "0 5 * * *"
    dialog.get_by_role("button", name="Save").click()
    expect(sales.get_by_role("region", name="Backups")).to_contain_text("every day at 02:00 UTC")


def test_a_window_that_is_added_keeps_the_one_of_somebody_else(sales: Any) -> None:
    sales.goto(PATH)
    sales.get_by_role("button", name="Add window").click()
    dialog = sales.get_by_role("dialog")
    dialog.get_by_label("Opens at").fill("0 4 * * 6")
    change(sales, windows=[NIGHT])
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog).to_contain_text("The windows are now: 0 22 * * * for 4 h.")
    dialog.get_by_role("button", name="Add", exact=True).click()
    panel = sales.get_by_role("region", name="Maintenance windows")
    expect(panel.get_by_role("cell", name="every day at 22:00 UTC")).to_be_visible()
    expect(panel.get_by_role("cell", name="Saturdays at 04:00 UTC")).to_be_visible()


def test_what_waits_for_a_window_begins_now_when_somebody_says_so(sales: Any, website: Website) -> None:
    change(sales, windows=[NIGHT], clean_up={"cron": "0 11 * * *", "keep_days": 30})
    sales.goto(PATH)
    panel = sales.get_by_role("region", name="Clean-up of the metadata database")
    panel.get_by_role("button", name="Clean up now").click()
    dialog = sales.get_by_role("alertdialog")
    expect(dialog).to_contain_text("No window is open. The next one opens in ")
    expect(dialog).to_contain_text("Now it begins outside of the windows.")
    dialog.get_by_role("button", name="Clean up now").click()
    expect(panel).to_contain_text("dag_run 3")
    assert len(website.driver.cleaned) == 1


def test_an_upgrade_outside_the_windows_begins_now_when_somebody_says_so(
    open_page: Any, website: Website
) -> None:
    website.clock.move_to_tuesday_noon()
    page = open_page("/")
    ask(page, "/v1/deployments", {"name": "sales", "version": "3.2.0"})
    page.goto("/deployments/sales")
    expect(page.get_by_text("healthy", exact=True)).to_be_visible()
    change(page, windows=[NIGHT])
    page.goto("/deployments/sales/settings/version")
    page.get_by_role("button", name="Upgrade", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Now it begins outside of the windows.")
    dialog.get_by_role("button", name="Upgrade now").click()
    expect(page.get_by_text("Airflow 3.3.2.")).to_be_visible()


def test_an_operation_is_cancelled_and_says_who_did(sales: Any, website: Website) -> None:
    slug = sales.request.get("/v1/deployments/sales").json()["slug"]
    website.driver.tasks[slug] = 1  # a hibernation waits for it
    begun = ask(sales, "/v1/deployments/sales/hibernate", {})
    sales.goto("/deployments/sales")
    expect(sales.get_by_text("waits for a task")).to_be_visible()
    sales.get_by_role("button", name="Cancel", exact=True).click()
    dialog = sales.get_by_role("alertdialog")
    expect(dialog).to_contain_text("Then it is undone: the Deployment runs again")
    dialog.get_by_label("Reason").fill("needed after all")
    dialog.get_by_role("button", name="Cancel the operation").click()
    expect(sales.get_by_text("hibernating", exact=True)).to_be_hidden()
    sales.goto(f"/operations/{begun['id']}")
    expect(sales.get_by_text("cancelled by ada")).to_be_visible()
    expect(sales.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)
    sales.goto("/organization/audit?action=operation.cancel")
    expect(sales.get_by_text("needed after all")).to_be_visible()


def test_who_may_cancel_on_another_deployment_only_is_shown_no_cancel_button(
    sales: Any, website: Website, open_page: Any
) -> None:
    made = sales.request.get("/v1/deployments/sales").json()
    other = ask(sales, "/v1/deployments", {"name": "risk", "workspace": "default", "cluster": "local"})
    at = [Target(UUID(one["workspace"]), UUID(one["id"])) for one in (made, other)]
    viewer, operator = Binding(Role.DEPLOYMENT_VIEWER, at[0]), Binding(Role.DEPLOYMENT_OPERATOR, at[1])
    website.person("ben", viewer, operator)
    website.person("cleo", Binding(Role.DEPLOYMENT_OPERATOR, at[0]))
    website.driver.tasks[made["slug"]] = 1
    begun = ask(sales, "/v1/deployments/sales/hibernate", {})
    for name, count in (("ben", 0), ("cleo", 1)):
        page = open_page(f"/operations/{begun['id']}", user=name)
        expect(page.get_by_text("waits for a task")).to_be_visible()
        expect(page.get_by_role("button", name="Cancel", exact=True)).to_have_count(count)


def test_the_cancel_button_can_be_declined_by_keyboard(sales: Any, website: Website) -> None:
    slug = sales.request.get("/v1/deployments/sales").json()["slug"]
    website.driver.tasks[slug] = 1
    begun = ask(sales, "/v1/deployments/sales/hibernate", {})
    sales.goto(f"/operations/{begun['id']}")
    opener = sales.get_by_role("button", name="Cancel", exact=True)
    opener.focus()
    sales.keyboard.press("Enter")
    expect(sales.get_by_role("button", name="Let it go on")).to_be_visible()
    sales.keyboard.press("Escape")
    expect(sales.get_by_role("alertdialog")).to_be_hidden()
    expect(opener).to_be_focused()
    assert sales.request.get(f"/v1/operations/{begun['id']}").json()["cancelled_at"] is None
