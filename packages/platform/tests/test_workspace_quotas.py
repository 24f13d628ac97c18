"""How many Deployments a workspace may have: who says so, what counts, and what is refused above it."""

from __future__ import annotations

from typing import Any

import pytest

from support.platform_parts import Reconciled
from tradewind_platform.domain.operations import Kind, Phase
from tradewind_platform.domain.quotas import COUNTED, has_room
from tradewind_platform.domain.roles import Role
from tradewind_platform.reconciler.driver import StepFailed


def set_quota(reconciled: Reconciled, at_most: int | None, workspace: str = "default") -> dict[str, Any]:
    answer = reconciled.owner.patch(f"/v1/workspaces/{workspace}", json={"deployments_at_most": at_most})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def create(reconciled: Reconciled, name: str, **more: Any) -> Any:
    return reconciled.owner.post("/v1/deployments", json={"name": name, **more})


def delete(reconciled: Reconciled, name: str) -> None:
    assert reconciled.owner.delete(f"/v1/deployments/{name}").status_code == 202
    reconciled.reconciler.carry_out_all()


@pytest.mark.parametrize(
    ("at_most", "deployments", "room"),
    [(None, 7, True), (2, 1, True), (2, 2, False), (2, 3, False), (0, 0, False)],
    ids=["no quota", "below it", "at it", "above it", "a quota of none"],
)
def test_a_workspace_has_room_below_its_quota(at_most: int | None, deployments: int, room: bool) -> None:
    assert has_room(at_most, deployments) is room


def test_a_deployment_counts_until_its_deletion_has_ended() -> None:
    assert {kind.meanwhile for kind in Kind} - COUNTED == {Phase.PURGING}
    assert {kind.afterwards for kind in Kind} - COUNTED == {Phase.DELETED, Phase.PURGED}


def test_a_workspace_has_no_quota_at_first(reconciled: Reconciled) -> None:
    assert reconciled.owner.get("/v1/workspaces/default").json()["deployments_at_most"] is None
    assert [create(reconciled, name).status_code for name in ("one", "two")] == [201, 201]


def test_above_the_quota_no_deployment_is_created_and_the_refusal_says_whom_to_ask(
    reconciled: Reconciled,
) -> None:
    set_quota(reconciled, 1)
    assert create(reconciled, "one").status_code == 201
    refused = create(reconciled, "two")
    assert (refused.status_code, refused.json()["error"]) == (409, "conflict")
    assert (
        refused.json()["message"]
        == "the workspace 'default' has reached its quota of Deployments: it has 1 of 1"
    )
    assert "ask an owner of the organization" in refused.json()["remedy"]
    assert refused.json()["detail"] == {"deployments": 1, "deployments_at_most": 1}
    assert [one["name"] for one in reconciled.owner.get("/v1/deployments").json()["items"]] == ["one"]
    assert reconciled.events(action="deployment.create")[0]["result"] == "conflict"
    set_quota(reconciled, None)
    assert create(reconciled, "two").status_code == 201


def test_deployments_of_another_workspace_do_not_count(reconciled: Reconciled) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "lab", "deployments_at_most": 1})
    assert create(reconciled, "one").status_code == 201
    assert create(reconciled, "two", workspace="lab").status_code == 201
    assert create(reconciled, "three", workspace="lab").status_code == 409
    counted = {
        one["name"]: one["deployments"] for one in reconciled.owner.get("/v1/workspaces").json()["items"]
    }
    assert counted == {"default": 1, "lab": 1}


def test_a_deployment_counts_while_it_sleeps_has_failed_or_is_being_deleted(reconciled: Reconciled) -> None:
    set_quota(reconciled, 1)
    reconciled.created("sales")
    reconciled.owner.post("/v1/deployments/sales/hibernate", json={})
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment()["phase"] == "asleep" and create(reconciled, "more").status_code == 409
    step = reconciled.driver.steps(Kind.DELETE)[0]
    reconciled.owner.delete("/v1/deployments/sales")
    assert reconciled.deployment()["phase"] == "deleting" and create(reconciled, "more").status_code == 409
    reconciled.driver.failing[step] = StepFailed("no", final=True)
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment()["phase"] == "failed" and create(reconciled, "more").status_code == 409


def test_a_deleted_deployment_makes_room_and_is_restored_only_where_there_is_room(
    reconciled: Reconciled,
) -> None:
    set_quota(reconciled, 1)
    reconciled.created("sales")
    delete(reconciled, "sales")
    assert create(reconciled, "ops").status_code == 201
    refused = reconciled.owner.post("/v1/deployments/sales/restore")
    assert (refused.status_code, "it has 1 of 1" in refused.json()["message"]) == (409, True)
    found = reconciled.deployment("sales")
    assert (found["phase"], found["operation"]) == ("deleted", None) and found["purge_after"] is not None
    set_quota(reconciled, 2)
    assert reconciled.owner.post("/v1/deployments/sales/restore").status_code == 202
    assert create(reconciled, "third").status_code == 409


def test_one_that_was_not_deleted_is_not_refused_for_the_quota(reconciled: Reconciled) -> None:
    set_quota(reconciled, 1)
    reconciled.created("sales")
    refused = reconciled.owner.post("/v1/deployments/sales/restore")
    assert refused.status_code == 409 and "there is nothing to restore" in refused.json()["message"]


def test_a_quota_below_what_is_there_ends_nothing(reconciled: Reconciled) -> None:
    for name in ("one", "two"):
        reconciled.created(name)
    changed = set_quota(reconciled, 1)
    assert (changed["deployments"], changed["deployments_at_most"]) == (2, 1)
    reconciled.reconciler.carry_out_all()
    assert {reconciled.deployment(name)["phase"] for name in ("one", "two")} == {"running"}
    assert create(reconciled, "three").status_code == 409
    delete(reconciled, "one")
    assert create(reconciled, "three").status_code == 409


@pytest.mark.parametrize("at_most", [-1, 1.5, "many"], ids=["negative", "half", "a word"])
def test_a_quota_is_a_number_of_deployments(reconciled: Reconciled, at_most: Any) -> None:
    answer = reconciled.owner.patch("/v1/workspaces/default", json={"deployments_at_most": at_most})
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


def test_an_owner_of_a_workspace_does_not_change_its_quota(reconciled: Reconciled) -> None:
    set_quota(reconciled, 3)
    caller = reconciled.with_role(Role.WORKSPACE_OWNER, workspace="default")
    for at_most in (4, 2, None):
        refused = caller.patch("/v1/workspaces/default", json={"deployments_at_most": at_most})
        assert (refused.status_code, refused.json()["error"]) == (403, "not_permitted")
        assert "may not change the quota" in refused.json()["message"]
        assert refused.json()["remedy"] == "Ask an owner of the organization."
    both = {"deployments_at_most": 3, "description": "EU"}  # what was read, sent back with one change
    assert caller.patch("/v1/workspaces/default", json=both).json()["description"] == "EU"
    assert reconciled.owner.get("/v1/workspaces/default").json()["deployments_at_most"] == 3


def test_a_refused_quota_changes_nothing_else(reconciled: Reconciled) -> None:
    caller = reconciled.with_role(Role.WORKSPACE_OWNER, workspace="default")
    both = {"deployments_at_most": 3, "description": "EU"}
    assert caller.patch("/v1/workspaces/default", json=both).status_code == 403
    found = reconciled.owner.get("/v1/workspaces/default").json()
    assert (found["description"], found["revision"]) == ("", 1)


def test_a_change_of_the_quota_is_in_the_audit_trail(reconciled: Reconciled) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "lab", "deployments_at_most": 3})
    assert set_quota(reconciled, 5, "lab")["revision"] == 2
    assert set_quota(reconciled, 5, "lab")["revision"] == 2  # it has that already
    changes = [
        reconciled.events(action=f"workspace.{one}", target="workspace:lab") for one in ("update", "create")
    ]
    assert [[one["changes"] for one in events] for events in changes] == [
        [{}, {"deployments_at_most": [3, 5]}],
        [{"deployments_at_most": [None, 3]}],
    ]


def test_who_has_a_role_on_one_deployment_is_not_told_how_many_there_are(reconciled: Reconciled) -> None:
    for name in ("sales", "secret"):
        reconciled.created(name)
    caller = reconciled.with_role(Role.DEPLOYMENT_ADMIN, deployment="sales")
    [found] = caller.get("/v1/workspaces").json()["items"]
    assert (found["name"], found["deployments"]) == ("default", None)
    viewer = reconciled.with_role(Role.WORKSPACE_VIEWER, workspace="default")
    assert viewer.get("/v1/workspaces/default").json()["deployments"] == 2


def test_a_deployment_moves_only_to_a_workspace_that_has_room(reconciled: Reconciled) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "lab", "deployments_at_most": 1})
    for name, workspace in (("sales", "default"), ("ops", "lab")):
        reconciled.created(name, workspace=workspace)
    refused = reconciled.owner.post("/v1/deployments/sales/move", json={"workspace": "lab"})
    assert (refused.status_code, "'lab' has reached its quota" in refused.json()["message"]) == (409, True)
    assert reconciled.deployment("sales")["workspace_name"] == "default"
    set_quota(reconciled, 0)  # a move out of a workspace that is above its quota makes room there
    set_quota(reconciled, 2, "lab")
    assert reconciled.owner.post("/v1/deployments/sales/move", json={"workspace": "lab"}).status_code == 200
    assert reconciled.owner.get("/v1/workspaces/default").json()["deployments"] == 0
