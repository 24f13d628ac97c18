"""Where Deployments run, chosen on the pages: by those who own a workspace and not the organization, too."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import expect

from support.axe import needs_axe, violations
from support.page_requests import ask
from support.platform_website import Website
from tradewind_platform.domain.roles import Binding, Role, Target
from tradewind_protocol.controllers import PREFIX

HOSTS = {"agents_host": "{id}.example.com", "people_domain": "{id}.example.com"}
POLL = {"instance": "00000000-0000-0000-0000-000000000001", "driver": "fake", "wait_seconds": 0}


def add_cluster(page: Any, name: str, *, region: str = "", **more: Any) -> None:
    """A cluster whose controller has connected once."""
    token = ask(page, "/v1/clusters", {"name": name, "region": region, **HOSTS})["token"]
    poll = page.request.post(
        f"{PREFIX}/poll", data={**POLL, **more}, headers={"Authorization": f"Bearer {token}"}
    )
    assert poll.ok, poll.text()


def owner_of_default(page: Any, website: Website, name: str = "ben") -> None:
    workspace = page.request.get("/v1/workspaces/default").json()["id"]
    website.person(name, Binding(Role.WORKSPACE_OWNER, Target(UUID(workspace))))


def test_an_owner_of_a_workspace_chooses_the_cluster_of_a_deployment(
    open_page: Any, website: Website
) -> None:
    ada = open_page("/")
    add_cluster(ada, "north", region="eu-central-1", sizes=["small", "large"])
    owner_of_default(ada, website)
    page = open_page("/deployments/new", user="ben")
    page.get_by_label("Name").fill("sales")
    cluster = page.get_by_label("Cluster")
    expect(cluster.get_by_role("option")).to_have_text(["Choose a cluster", "local", "north (eu-central-1)"])
    expect(cluster).to_have_attribute("required", "")
    expect(page.get_by_label("Size")).to_have_count(0)
    cluster.select_option("north")
    page.get_by_label("Size").select_option("small")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("region", name="Creating sales")).to_be_visible()
    found = page.request.get("/v1/deployments/sales").json()
    assert (found["cluster_name"], found["size"]) == ("north", "small")


def test_without_a_choice_it_runs_in_the_default_cluster_of_the_workspace(
    open_page: Any, website: Website
) -> None:
    ada = open_page("/")
    add_cluster(ada, "north")
    owner_of_default(ada, website)
    page = open_page("/organization/workspaces", user="ben")
    page.get_by_role("button", name="Edit workspace default").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Deployments at most")).to_have_count(0)
    dialog.get_by_label("Default cluster").select_option("north")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Workspaces").get_by_text("north")).to_be_visible()

    page.goto("/deployments/new")
    page.get_by_label("Name").fill("sales")
    cluster = page.get_by_label("Cluster")
    expect(cluster.get_by_role("option")).to_have_text(["Default of the workspace: north", "local", "north"])
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("region", name="Creating sales")).to_be_visible()
    assert page.request.get("/v1/deployments/sales").json()["cluster_name"] == "north"


def test_another_workspace_has_other_clusters_to_choose_from(open_page: Any) -> None:
    page = open_page("/")
    ask(page, "/v1/workspaces", {"name": "lab"})
    add_cluster(page, "north")
    ask(page, "/v1/clusters/north", {"workspaces": ["lab"]}, method="patch")
    page.goto("/deployments/new")
    expect(page.get_by_label("Workspace")).to_have_value("default")
    expect(page.get_by_label("Cluster")).to_have_count(0)
    page.get_by_label("Workspace").select_option("lab")
    page.get_by_label("Cluster").select_option("north")
    page.get_by_label("Workspace").select_option("default")
    expect(page.get_by_label("Cluster")).to_have_count(0)
    page.get_by_label("Name").fill("sales")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("region", name="Creating sales")).to_be_visible()
    assert page.request.get("/v1/deployments/sales").json()["cluster_name"] == "local"


def test_a_cluster_whose_controller_never_connected_says_so(open_page: Any) -> None:
    page = open_page("/")
    ask(page, "/v1/clusters", {"name": "south", **HOSTS})
    page.goto("/deployments/new")
    option = page.get_by_label("Cluster").get_by_role("option", name="south")
    expect(option).to_have_text("south (its controller has not connected yet)")


def test_a_workspace_is_made_at_home_with_a_quota_and_a_default_cluster(open_page: Any) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Create workspace").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("lab")
    dialog.get_by_label("Deployments at most").fill("2")
    dialog.get_by_label("Default cluster").select_option("local")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("region", name="lab")).to_be_visible()
    found = page.request.get("/v1/workspaces/lab").json()
    assert (found["deployments_at_most"], found["default_cluster_name"]) == (2, "local")


def test_a_default_cluster_that_was_taken_away_is_named_and_kept_until_another_is_chosen(
    open_page: Any,
) -> None:
    page = open_page("/")
    ask(page, "/v1/workspaces", {"name": "lab"})
    add_cluster(page, "north")
    ask(page, "/v1/workspaces/default", {"default_cluster": "north"}, method="patch")
    ask(page, "/v1/clusters/north", {"workspaces": ["lab"]}, method="patch")
    page.goto("/organization/workspaces")
    page.get_by_role("button", name="Edit workspace default").click()
    dialog = page.get_by_role("dialog")
    field = dialog.get_by_label("Default cluster")
    expect(field).to_have_value("north")
    expect(field.get_by_role("option", name="north")).to_have_text("north (the workspace may not use it)")
    dialog.get_by_label("Description").fill("EU")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("was changed")).to_be_visible()
    found = page.request.get("/v1/workspaces/default").json()
    assert (found["description"], found["default_cluster_name"]) == ("EU", "north")


def test_a_cluster_gets_a_region(open_page: Any) -> None:
    page = open_page("/organization/clusters/local")
    page.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Region").fill("Frankfurt")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Cluster details")).to_contain_text("Frankfurt")
    page.goto("/organization/clusters")
    expect(page.get_by_role("region", name="Clusters").get_by_text("Frankfurt")).to_be_visible()


@needs_axe
@pytest.mark.parametrize(
    ("dark", "size"), [(False, (1440, 900)), (True, (390, 844))], ids=["light-wide", "dark-narrow"]
)
def test_the_forms_are_clean(open_page: Any, dark: bool, size: tuple[int, int]) -> None:
    page = open_page("/", dark=dark, size=size)
    add_cluster(page, "north", sizes=["small"])
    page.get_by_role("button", name="Create workspace").click()
    expect(page.get_by_role("dialog").get_by_label("Default cluster")).to_be_visible()
    wrong = violations(page)
    page.goto("/deployments/new")
    page.get_by_label("Cluster").select_option("north")
    expect(page.get_by_label("Size")).to_be_visible()
    wrong += violations(page)
    assert not wrong
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
