"""axe-core finds nothing on the pages of the organization, light or dark, wide or narrow; no page is wider than a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from support.page_requests import ask

AXE = Path(__file__).parents[2] / "ui/node_modules/axe-core/axe.min.js"
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
_RUN = """async () => (await axe.run(document, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
})).violations.map(each => `${each.id}: ${each.help}: ${each.nodes.map(node => node.html + " " + node.failureSummary).join(" | ")}`)"""

pytestmark = pytest.mark.skipif(not AXE.exists(), reason="`make test-ui` installs axe-core")


@pytest.mark.parametrize(
    ("dark", "size"), [(False, (1440, 900)), (True, (390, 844))], ids=["light-wide", "dark-narrow"]
)
def test_every_page_of_the_organization_is_clean(open_page: Any, dark: bool, size: tuple[int, int]) -> None:
    page = open_page("/organization", dark=dark, size=size)
    ask(page, "/v1/teams", {"name": "engineering"})
    ask(page, "/v1/teams/engineering/members", {"user": "ada"})
    ask(page, "/v1/role-bindings", {"team": "engineering", "role": "workspace_owner", "workspace": "default"})
    ask(page, "/v1/invites", {"email": "dora@acme.example", "role": "organization_member"})
    ask(page, "/v1/api-tokens", {"name": "ci", "role": "workspace_operator", "workspace": "default"})
    ask(page, "/v1/deployments", {"name": "sales", "workspace": "default", "cluster": "local"})
    wrong = []
    for path, title in PAGES.items():
        page.goto(path)
        expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
        expect(page.get_by_text("Loading")).to_have_count(0)
        page.evaluate(AXE.read_text())  # not as a script element: the policy of the document allows none
        wrong += [f"{path}: {each}" for each in page.evaluate(_RUN)]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append(f"{path}: wider than the screen")
    assert not wrong, "\n".join(wrong)
