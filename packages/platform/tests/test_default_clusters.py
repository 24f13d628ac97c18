"""The cluster of a workspace's Deployments that name none."""

from __future__ import annotations

from typing import Any

import pytest

from support.platform_parts import Reconciled
from tradewind_platform.domain.roles import Role
from tradewind_protocol.controllers import PREFIX

ASK = {"agents_host": "{id}.external.example.com", "people_domain": "{id}.apps.example.com"}
POLL = {"instance": "00000000-0000-0000-0000-000000000001", "driver": "kubernetes", "wait_seconds": 0}


def add_cluster(reconciled: Reconciled, name: str, **more: Any) -> None:
    """A cluster beside `local`, whose controller has connected."""
    answer = reconciled.owner.post("/v1/clusters", json={**ASK, "name": name, **more})
    assert answer.status_code == 201, answer.text
    assert reconciled.caller(answer.json()["token"]).post(f"{PREFIX}/poll", json=POLL).status_code == 200


def set_default(caller: Any, cluster: str | None, workspace: str = "default") -> Any:
    return caller.patch(f"/v1/workspaces/{workspace}", json={"default_cluster": cluster})


def test_a_deployment_that_names_no_cluster_runs_in_the_default_one(reconciled: Reconciled) -> None:
    add_cluster(reconciled, "north")
    nowhere = reconciled.owner.post("/v1/deployments", json={"name": "sales"})
    assert nowhere.status_code == 422
    assert nowhere.json()["message"] == "the workspace 'default' may use 2 clusters, and has no default one"
    changed = set_default(reconciled.owner, "north").json()
    north = reconciled.owner.get("/v1/clusters/north").json()
    assert (changed["default_cluster"], changed["default_cluster_name"]) == (north["id"], "north")
    assert reconciled.create("sales")["cluster_name"] == "north"
    assert reconciled.create("ops", cluster="local")["cluster_name"] == "local"
    assert set_default(reconciled.owner, None).json()["default_cluster"] is None
    assert reconciled.owner.post("/v1/deployments", json={"name": "more"}).status_code == 422


def test_a_new_workspace_may_have_one(reconciled: Reconciled) -> None:
    add_cluster(reconciled, "north")
    made = reconciled.owner.post("/v1/workspaces", json={"name": "lab", "default_cluster": "north"})
    assert (made.status_code, made.json()["default_cluster_name"]) == (201, "north")
    assert reconciled.create("sales", workspace="lab")["cluster_name"] == "north"


def test_the_default_cluster_is_one_that_the_workspace_may_use(reconciled: Reconciled) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    add_cluster(reconciled, "north", workspaces=["lab"])
    refused = set_default(reconciled.owner, "north")
    assert (refused.status_code, refused.json()["message"]) == (
        409,
        "the workspace 'default' may not use the cluster 'north'",
    )
    assert set_default(reconciled.owner, "north", "lab").status_code == 200
    assert set_default(reconciled.owner, "south").status_code == 404


def test_no_deployment_is_created_in_a_default_cluster_that_was_taken_away(reconciled: Reconciled) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    add_cluster(reconciled, "north")
    set_default(reconciled.owner, "north")
    reconciled.owner.patch("/v1/clusters/north", json={"workspaces": ["lab"]})
    refused = reconciled.owner.post("/v1/deployments", json={"name": "sales"})
    assert (refused.status_code, refused.json()["message"]) == (
        409,
        "the workspace 'default' may not use its default cluster 'north'",
    )
    kept = {"default_cluster": "north", "description": "EU"}  # what was read, sent back with one change
    assert reconciled.owner.patch("/v1/workspaces/default", json=kept).status_code == 200


def test_a_deleted_cluster_is_no_default_any_more(reconciled: Reconciled) -> None:
    add_cluster(reconciled, "north")
    set_default(reconciled.owner, "north")
    assert reconciled.owner.delete("/v1/clusters/north").status_code == 204
    found = reconciled.owner.get("/v1/workspaces/default").json()
    assert (found["default_cluster"], found["default_cluster_name"], found["revision"]) == (None, "", 3)
    assert reconciled.events(action="cluster.delete")[0]["changes"] == {"default_of": ["default"]}
    assert reconciled.create("sales")["cluster_name"] == "local"


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.WORKSPACE_OWNER, 200),
        (Role.WORKSPACE_OPERATOR, 403),
        (Role.WORKSPACE_VIEWER, 403),
    ],
    ids=lambda one: getattr(one, "value", str(one)),
)
def test_owners_of_a_workspace_say_what_its_default_cluster_is(
    reconciled: Reconciled, role: Role, status: int
) -> None:
    caller = reconciled.with_role(role, workspace="default")
    assert set_default(caller, "local").status_code == status


def test_a_change_of_the_default_cluster_is_in_the_audit_trail_by_name(reconciled: Reconciled) -> None:
    add_cluster(reconciled, "north")
    for cluster in ("local", "north", None):
        set_default(reconciled.owner, cluster)
    events = reconciled.events(action="workspace.update")
    assert [one["changes"] for one in reversed(events)] == [
        {"default_cluster": [None, "local"]},
        {"default_cluster": ["local", "north"]},
        {"default_cluster": ["north", None]},
    ]
