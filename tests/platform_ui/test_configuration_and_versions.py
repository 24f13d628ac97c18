"""Environment variables, options, backups and versions of a Deployment by the pages."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from support.platform_acts import created


def test_a_variable_is_set_and_applied_and_a_secret_is_never_shown(open_page: Any) -> None:
    page = open_page("/")
    created(page)
    page.goto("/deployments/sales/environment")
    variables = page.get_by_role("region", name="Environment variables")
    for name, value, secret in (("REGION", "eu-central", False), ("MAIL_PASSWORD", "canary-7f3a", True)):
        variables.get_by_role("button", name="Add variable").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name").fill(name)
        if secret:
            dialog.get_by_text("Secret: nobody can read the value again").click()
        dialog.get_by_label("Value", exact=True).fill(value)
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_be_hidden()
    expect(variables.get_by_text("eu-central")).to_be_visible()
    expect(variables.get_by_text("secret, set")).to_be_visible()
    assert "canary-7f3a" not in page.content()
    expect(page.get_by_text("2 settings are not applied")).to_be_visible()
    page.get_by_role("button", name="Apply", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Apply").click()
    expect(page.get_by_text("The settings below are applied.")).to_be_visible()
    variables.get_by_role("button", name="Remove REGION").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(variables.get_by_text("eu-central")).to_be_hidden()


def test_what_belongs_to_the_platform_is_refused_with_the_reason(open_page: Any) -> None:
    page = open_page("/")
    created(page)
    page.goto("/deployments/sales/environment")
    page.get_by_role("button", name="Add option").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("core.executor")
    dialog.get_by_label("Value", exact=True).fill("LocalExecutor")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_text("[core] executor is set by the platform")).to_be_visible()
    dialog.get_by_label("Name").fill("core.parallelism")
    dialog.get_by_label("Value", exact=True).fill("64")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text("core.parallelism", exact=True)).to_be_visible()


def test_a_backup_is_made_and_put_back(open_page: Any) -> None:
    page = open_page("/")
    created(page)
    page.goto("/deployments/sales/backups")
    expect(page.get_by_text("No backups yet.")).to_be_visible()
    page.get_by_role("button", name="Create backup").click()
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    restore = page.get_by_role("button", name="Restore the backup")
    expect(restore).to_be_enabled()
    restore.click()
    dialog = page.get_by_role("alertdialog")
    dialog.get_by_label("Type sales to confirm").fill("sales")
    dialog.get_by_text("Forget the runs that began since").click()
    dialog.get_by_role("button", name="Restore").click()
    expect(dialog).to_be_hidden()
    page.goto("/deployments/sales/operations")
    rollback = page.get_by_role("row").filter(has_text="rollback")
    expect(rollback.get_by_text("succeeded")).to_be_visible()


def test_an_upgrade_is_checked_and_then_done(open_page: Any) -> None:
    page = open_page("/deployments/new")
    page.get_by_label("Name").fill("sales")
    page.get_by_label("Airflow version").select_option("3.2.0")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("sales runs")).to_be_visible()
    page.goto("/deployments/sales/settings/version")
    expect(page.get_by_text("Airflow 3.2.0.")).to_be_visible()
    page.get_by_label("Upgrade to").select_option("3.2.1")
    page.get_by_role("button", name="Check", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Check").click()
    expect(page.get_by_role("region", name="Checks").get_by_text("ok", exact=True)).to_be_visible()
    page.get_by_role("button", name="Upgrade", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Upgrade").click()
    expect(page.get_by_text("Airflow 3.2.1.")).to_be_visible()
    expect(page.get_by_label("Upgrade to").locator("option")).to_have_text(["3.3.2"])
