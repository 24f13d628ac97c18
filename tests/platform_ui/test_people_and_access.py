"""Users, teams, roles, invites and sign-in settings in a browser, and why somebody may do something in a Deployment."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from playwright.sync_api import expect

from support.page_requests import ask
from support.platform_website import Website
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role, Target


def test_a_team_gives_its_member_a_role_and_the_access_page_says_so(open_page: Any, website: Website) -> None:
    website.person("ben", Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION))
    page = open_page("/organization/teams")
    page.get_by_role("button", name="Create team").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("engineering")
    dialog.get_by_role("button", name="Create").click()
    page.get_by_role("link", name="engineering").click()

    page.get_by_role("button", name="Add member").click()
    page.get_by_role("dialog").get_by_label("User").select_option(label="ben")
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    expect(page.get_by_role("region", name="Members of engineering")).to_contain_text("ben")

    page.get_by_role("button", name="Bind role").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Scope").select_option("workspace")
    dialog.get_by_label("Workspace").select_option(label="default")
    dialog.get_by_label("Role").select_option("workspace_author")
    dialog.get_by_role("button", name="Bind role").click()
    expect(page.get_by_role("region", name="Role bindings")).to_contain_text("Workspace author")

    ask(page, "/v1/deployments", {"name": "sales", "workspace": "default", "cluster": "local"})
    page.goto("/deployments/sales/access")
    why = page.get_by_role("region", name="What a user can do here, and why")
    why.get_by_label("User").select_option("ben")
    path = why.get_by_role("row", name="Workspace author")
    expect(path).to_contain_text("workspace default")
    expect(path).to_contain_text("team engineering")
    expect(path).to_contain_text("USER")


def test_a_role_that_is_taken_on_the_access_page_is_gone(open_page: Any, website: Website) -> None:
    page = open_page("/")
    made = ask(page, "/v1/deployments", {"name": "sales", "workspace": "default", "cluster": "local"})
    here = Target(UUID(made["workspace"]), UUID(made["id"]))
    website.person("ben", Binding(Role.DEPLOYMENT_OPERATOR, here))
    page.goto("/deployments/sales/access")
    page.get_by_role("button", name="Unbind role Deployment operator from ben").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Unbind role").click()
    expect(page.get_by_role("button", name="Unbind role Deployment operator from ben")).to_have_count(0)
    assert ask(page, "/v1/access/ben?deployment=sales", method="get")["paths"] == []


def test_who_may_not_read_members_sees_the_own_roles_only(open_page: Any, website: Website) -> None:
    page = open_page("/")
    made = ask(page, "/v1/deployments", {"name": "sales", "workspace": "default", "cluster": "local"})
    here = Target(UUID(made["workspace"]), UUID(made["id"]))
    website.person("ben", Binding(Role.DEPLOYMENT_VIEWER, here))
    page = open_page("/deployments/sales/access", user="ben")
    expect(page.get_by_role("region", name="Your roles here")).to_contain_text("Deployment viewer")
    expect(page.get_by_role("button", name="Bind role")).to_have_count(0)


def test_a_user_who_is_disabled_is_signed_out(open_page: Any, website: Website) -> None:
    website.person("ben", Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION))
    bens = open_page("/me", user="ben")
    page = open_page("/organization/users")
    page.get_by_role("link", name="ben").click()
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Disable").click()
    expect(page.get_by_text("disabled", exact=True)).to_be_visible()
    bens.reload()
    expect(bens).to_have_url("/sign-in?next=%2Fme")


def test_an_invite_waits_for_a_person_and_can_be_withdrawn(open_page: Any) -> None:
    page = open_page("/organization/invites")
    page.get_by_role("button", name="Create invite").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("E-mail").fill("dora@acme.example")
    dialog.get_by_label("Role").select_option("organization_auditor")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("row", name="dora@acme.example")).to_contain_text("pending")
    page.get_by_role("button", name="Withdraw invite of dora@acme.example").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Withdraw").click()
    expect(page.get_by_role("heading", name="No invites")).to_be_visible()


def test_the_matrix_of_roles_says_what_the_api_says(open_page: Any) -> None:
    page = open_page("/organization/roles")
    matrix = ask(page, "/v1/roles", method="get")
    row = page.get_by_role("row", name="clusters.update")
    expect(row.get_by_text("allowed", exact=True)).to_have_count(
        sum("clusters.update" in role["permissions"] for role in matrix["roles"] if not role["custom"])
    )
    named = page.get_by_role("rowheader", name=re.compile(r"^[a-z][A-Za-z]*\."))
    expect(named).to_have_count(len(matrix["permissions"]))


def test_a_role_of_ones_own_is_made_given_changed_and_deleted(open_page: Any, website: Website) -> None:
    website.person("ben", Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION))
    page = open_page("/organization/roles")
    ask(page, "/v1/deployments", {"name": "sales", "workspace": "default", "cluster": "local"})
    expect(page.get_by_role("heading", name="No custom roles")).to_be_visible()
    page.get_by_role("button", name="Create role").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("on-call")
    dialog.get_by_label("Role in Airflow").select_option("VIEWER")
    dialog.get_by_text("deployment.hibernate", exact=True).click()
    dialog.get_by_role("group", name="Workspaces on whose").get_by_text("default", exact=True).click()
    dialog.get_by_role("button", name="Create").click()
    row = page.get_by_role("region", name="Custom roles").get_by_role("row", name="on-call")
    expect(row).to_contain_text("2 permissions")
    expect(row).to_contain_text("default")

    page.goto("/deployments/sales/access")
    page.get_by_role("button", name="Bind role").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("User").select_option(label="ben")
    dialog.get_by_label("Role").select_option("on-call")
    dialog.get_by_role("button", name="Bind role").click()
    expect(page.get_by_role("region", name="Role bindings")).to_contain_text("on-call")

    page.goto("/organization/roles")
    page.get_by_role("button", name="Delete role on-call").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("alertdialog")).to_contain_text("is given to user ben")
    page.get_by_role("alertdialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Edit role on-call").click()
    page.get_by_role("dialog").get_by_text("deployment.upgrade", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(row).to_contain_text("3 permissions")
    explained = ask(page, "/v1/access/ben?deployment=sales", method="get")
    assert "deployment.upgrade" in explained["permissions"]
    page.goto("/deployments/sales/access")
    page.get_by_role("button", name="Unbind role on-call from ben").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Unbind role").click()
    expect(page.get_by_role("button", name="Unbind role on-call from ben")).to_have_count(0)
    page.goto("/organization/roles")
    page.get_by_role("button", name="Delete role on-call").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No custom roles")).to_be_visible()


def test_an_owner_of_a_workspace_makes_roles_for_the_own_workspaces(open_page: Any, website: Website) -> None:
    page = open_page("/")
    [default] = ask(page, "/v1/workspaces", method="get")["items"]
    website.person("ben", Binding(Role.WORKSPACE_OWNER, Target(UUID(default["id"]))))
    page = open_page("/organization/roles", user="ben")
    page.get_by_role("button", name="Create role").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", name="deployment.upgrade")).to_be_disabled()
    dialog.get_by_role("group", name="Workspaces on whose").get_by_text("default", exact=True).click()
    expect(dialog.get_by_role("checkbox", name="deployment.upgrade")).to_be_enabled()


def test_sign_in_settings_are_a_draft_until_they_are_tested_and_keep_their_secret(
    open_page: Any, website: Website
) -> None:
    page = open_page("/organization/authentication")
    page.get_by_role("button", name="Set up").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Button label").fill("Acme")
    dialog.get_by_label("Issuer").fill("https://login.acme.example/realms/main")
    dialog.get_by_label("Client ID").fill("tradewind")
    dialog.get_by_label("Client secret").fill("kept-by-the-platform")
    dialog.get_by_role("button", name="Save draft").click()
    draft = page.get_by_role("region", name="Draft")
    expect(draft).to_contain_text("https://login.acme.example/realms/main")
    expect(draft.get_by_role("link", name="Test sign-in")).to_have_attribute(
        "href", f"{website.url}/sign-in/with-identity-provider?test=true"
    )
    expect(draft.get_by_role("button", name="Activate")).to_be_disabled()
    assert "kept-by-the-platform" not in page.content()


def test_scim_is_turned_on_with_a_token_that_is_shown_once_and_off_again(open_page: Any) -> None:
    page = open_page("/organization/authentication")
    panel = page.get_by_role("region", name="Provisioning (SCIM)")
    expect(panel).to_contain_text("/scim/v2")
    panel.get_by_role("button", name="Create token").click()
    page.get_by_role("dialog").get_by_role("button", name="Create token").click()
    expect(panel).to_contain_text("It is shown only once.")
    shown = panel.get_by_text(re.compile(r"^tw_scim_[A-Za-z0-9_-]{43}$")).first
    token = shown.inner_text()
    panel.get_by_role("button", name="Done").click()
    expect(panel).to_contain_text(f"{token[:12]}…")
    assert token not in page.content()
    panel.get_by_role("button", name="Turn off").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Turn off").click()
    expect(panel).to_contain_text("Off.")


def test_a_network_is_allowed_and_the_person_is_not_locked_out(open_page: Any) -> None:
    page = open_page("/organization/authentication")
    panel = page.get_by_role("region", name="Allowed addresses")
    expect(panel).to_contain_text("from any address")
    expect(panel).to_contain_text("127.0.0.1")
    panel.get_by_role("button", name="Add network").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Network")).to_have_value("127.0.0.1")
    dialog.get_by_label("Network").fill("203.0.113.0/24")
    dialog.get_by_role("button", name="Add").click()
    expect(dialog).to_contain_text("would lock out the address you come from, 127.0.0.1")
    dialog.get_by_label("Network").fill("127.0.0.0/8")
    dialog.get_by_label("Description").fill("this machine")
    dialog.get_by_role("button", name="Add").click()
    expect(panel).to_contain_text("from these networks only")
    expect(panel.get_by_role("row", name="127.0.0.0/8")).to_contain_text("this machine")
    panel.get_by_role("button", name="Remove 127.0.0.0/8").click()
    page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(panel).to_contain_text("from any address")
