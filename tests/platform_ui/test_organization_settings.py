"""Organization settings and a person's own page, in a browser: what a person does there changes the platform."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import expect

from support.page_requests import ask
from support.platform_website import Website
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role


def test_an_api_token_is_shown_once_rotated_with_an_overlap_and_deleted(
    open_page: Any, website: Website
) -> None:
    page = open_page("/organization/api-tokens")
    page.get_by_role("button", name="Create API token").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("ci")
    dialog.get_by_label("Scope").select_option("workspace")
    dialog.get_by_label("Workspace").select_option(label="default")
    dialog.get_by_label("Role").select_option("workspace_operator")
    dialog.get_by_role("button", name="Create").click()
    value = page.get_by_role("region", name="token value").inner_text().strip()
    assert (
        page.request.get("/v1/me", headers={"Authorization": f"Bearer {value}"}).json()["name"] == "token:ci"
    )
    page.reload()
    expect(page.get_by_text("workspace default")).to_be_visible()
    assert value not in page.content()

    page.get_by_role("button", name="Rotate API token ci").click()
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    expect(page.get_by_text("It is shown only once.")).to_be_visible()
    expect(page.get_by_text("old value expires")).to_be_visible()
    assert page.request.get("/v1/me", headers={"Authorization": f"Bearer {value}"}).ok

    page.get_by_role("button", name="Delete API token ci").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No API tokens")).to_be_visible()
    assert page.request.get("/v1/me", headers={"Authorization": f"Bearer {value}"}).status in (401, 403)


def test_a_cluster_is_added_and_its_details_say_what_a_network_team_has_to_do(open_page: Any) -> None:
    page = open_page("/organization/clusters")
    page.get_by_role("button", name="Add cluster").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("frankfurt")
    dialog.get_by_label("Host for agents").fill("{id}.external.acme.example")
    dialog.get_by_label("Domain for people").fill("{id}.airflow.acme.example")
    dialog.get_by_role("button", name="Add").click()
    expect(page.get_by_role("region", name="cluster token")).to_contain_text("tw_cluster_")
    expect(page.get_by_role("region", name="install command")).to_contain_text("helm upgrade --install")
    page.get_by_role("link", name="frankfurt").click()
    details = page.get_by_role("region", name="Cluster details")
    slug = page.request.get("/v1/clusters/frankfurt").json()["slug"]
    expect(details).to_contain_text(slug)
    expect(details).to_contain_text(f"{slug}.external.acme.example")
    expect(page.get_by_role("region", name="check command")).to_contain_text(f"curl https://{slug}.external")
    expect(page.get_by_role("region", name="Check the connection")).to_contain_text("404 page not found")
    records = page.get_by_role("region", name="DNS records").get_by_role("table")
    expect(records).to_contain_text(f"{slug}.external.acme.example")
    expect(records).to_contain_text(f"*.{slug}.airflow.acme.example")
    expect(page.get_by_text("The controller has not connected yet")).to_be_visible()


def test_a_workspace_that_somebody_changed_meanwhile_is_not_overwritten(open_page: Any) -> None:
    page = open_page("/organization/workspaces")
    page.get_by_role("button", name="Edit workspace default").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Description").fill("mine")
    ask(page, "/v1/workspaces/default", {"description": "theirs"}, method="patch")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_contain_text("has the revision 2, and the change was made for 1")
    assert page.request.get("/v1/workspaces/default").json()["description"] == "theirs"


def test_a_workspace_gets_a_quota_and_a_default_cluster_and_loses_them(open_page: Any) -> None:
    page = open_page("/organization/workspaces")
    page.get_by_role("button", name="Edit workspace default").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Deployments at most").fill("0")
    dialog.get_by_label("Default cluster").select_option("local")
    dialog.get_by_role("button", name="Save").click()
    row = page.get_by_role("region", name="Workspaces").get_by_role("row", name="Edit workspace default")
    expect(row).to_contain_text("of 0")
    expect(row).to_contain_text("local")
    found = page.request.get("/v1/workspaces/default").json()
    assert (found["deployments_at_most"], found["default_cluster_name"]) == (0, "local")
    page.get_by_role("button", name="Edit workspace default").click()
    dialog.get_by_label("Deployments at most").fill("")
    dialog.get_by_label("Default cluster").select_option(label="None")
    dialog.get_by_role("button", name="Save").click()
    expect(row).not_to_contain_text("of 0")
    found = page.request.get("/v1/workspaces/default").json()
    assert (found["deployments_at_most"], found["default_cluster_name"]) == (None, "")


def test_the_audit_trail_is_filtered_in_the_address_and_exported_as_ndjson(open_page: Any) -> None:
    page = open_page("/organization/audit")
    ask(page, "/v1/workspaces", {"name": "finance"})
    page.reload()
    page.get_by_label("Action").fill("workspace.create")
    page.get_by_label("Action").press("Enter")
    expect(page).to_have_url("/organization/audit?action=workspace.create")
    table = page.get_by_role("region", name="Audit events")
    expect(table.get_by_role("row")).to_have_count(2)  # the header, and the event
    expect(table).to_contain_text("workspace:finance")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Export NDJSON").click()
    lines = downloading.value.path().read_text().splitlines()
    assert [json.loads(line)["target"] for line in lines] == ["workspace:finance"]


def test_a_person_ends_another_session_of_their_own(open_page: Any, website: Website) -> None:
    other = open_page("/me")
    page = open_page("/me")
    sessions = page.get_by_role("region", name="Your sessions")
    expect(sessions.get_by_text("this browser")).to_have_count(1)
    page.get_by_role("button", name="End all others").click()
    page.get_by_role("alertdialog").get_by_role("button", name="End sessions").click()
    expect(page.get_by_role("status")).to_contain_text("ended")
    other.reload()
    expect(other).to_have_url("/sign-in?next=%2Fme")


def test_a_member_of_the_organization_is_not_shown_what_a_member_may_not_do(
    open_page: Any, website: Website
) -> None:
    website.person("ben", Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION))
    page = open_page("/organization/workspaces", user="ben")
    settings = page.get_by_role("navigation", name="Organization settings")
    expect(settings.get_by_role("link", name="Workspaces")).to_be_visible()
    expect(settings.get_by_role("link", name="Clusters")).to_have_count(0)
    expect(settings.get_by_role("link", name="Audit")).to_have_count(0)
    expect(page.get_by_role("button", name="Create workspace")).to_have_count(0)
