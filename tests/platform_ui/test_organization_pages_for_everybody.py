"""axe-core finds nothing on the pages of the organization, light or dark, wide or narrow; no page is wider than a phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from support.axe import needs_axe, violations
from support.page_requests import ask

PAGES = {
    "/organization/workspaces": "Workspaces",
    "/organization/clusters": "Clusters",
    "/organization/clusters/local": "local",
    "/organization/users": "Users",
    "/organization/users/ada": "ada",
    "/organization/teams": "Teams",
    "/organization/teams/engineering": "engineering",
    "/organization/invites": "Invites",
    "/organization/roles": "Roles",
    "/organization/authentication": "Authentication",
    "/organization/api-tokens": "API tokens",
    "/organization/audit": "Audit",
    "/me": "ada",
    "/deployments/sales/access": "sales",
}

pytestmark = needs_axe


@pytest.mark.parametrize(
    ("dark", "size"), [(False, (1440, 900)), (True, (390, 844))], ids=["light-wide", "dark-narrow"]
)
def test_every_page_of_the_organization_is_clean(open_page: Any, dark: bool, size: tuple[int, int]) -> None:
    page = open_page("/organization", dark=dark, size=size)
    ask(page, "/v1/teams", {"name": "engineering"})
    ask(page, "/v1/teams/engineering/members", {"user": "ada"})
    ask(page, "/v1/role-bindings", {"team": "engineering", "role": "workspace_owner", "workspace": "default"})
    ask(
        page,
        "/v1/roles",
        {"name": "on-call", "permissions": ["deployment.hibernate"], "airflow_role": "VIEWER"},
    )
    ask(page, "/v1/invites", {"email": "dora@acme.example", "role": "organization_member"})
    ask(page, "/v1/api-tokens", {"name": "ci", "role": "workspace_operator", "workspace": "default"})
    ask(page, "/v1/deployments", {"name": "sales", "workspace": "default", "cluster": "local"})
    wrong = []
    for path, title in PAGES.items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
        expect(page.get_by_text("Loading")).to_have_count(0)
        wrong += [f"{path}: {each}" for each in violations(page)]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append(f"{path}: wider than the screen")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("dark", "size"), [(False, (1440, 900)), (True, (390, 844))], ids=["light-wide", "dark-narrow"]
)
def test_the_form_of_a_role_is_clean(open_page: Any, dark: bool, size: tuple[int, int]) -> None:
    page = open_page("/organization/roles", dark=dark, size=size)
    page.get_by_role("button", name="Create role").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("checkbox", name="deployment.upgrade")).to_be_visible()
    expect(dialog.get_by_role("group", name="Workspaces on whose")).to_be_visible()
    assert not violations(page)
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
