"""A Deployment moves to another workspace: who may, what follows at once, what waits for a restart, and what is refused."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import anyio
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from support.platform_parts import Reconciled
from tradewind_platform.domain.roles import Binding, Role, Target
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.reconciler.running import RunningDeployments
from tradewind_platform.store.tables import ApiToken, RoleBinding
from tradewind_platform.store.team_tables import Invite, TeamRoleBinding

OWNER, OPERATOR, VIEWER = Role.WORKSPACE_OWNER, Role.WORKSPACE_OPERATOR, Role.WORKSPACE_VIEWER


@pytest.fixture
def sales(reconciled: Reconciled) -> dict[str, Any]:
    """A Deployment in the workspace `default`. There is another one, `lab`."""
    made = reconciled.created("sales")
    post(reconciled, "workspaces", name="lab")
    return made


def post(api: Reconciled, path: str, expected: int = 201, **ask: Any) -> dict[str, Any]:
    answer = api.owner.post(f"/v1/{path}", json=ask)
    assert answer.status_code == expected, answer.text
    found: dict[str, Any] = answer.json()
    return found


def workspace(api: Reconciled, name: str) -> Target:
    return Target(UUID(api.owner.get(f"/v1/workspaces/{name}").json()["id"]))


def move(caller: TestClient, to: str = "lab", deployment: str = "sales", **headers: str) -> Any:
    return caller.post(f"/v1/deployments/{deployment}/move", json={"workspace": to}, headers=headers)


def moved(api: Reconciled, to: str = "lab") -> dict[str, Any]:
    answer = move(api.owner, to)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def restarted_with_regions(api: Reconciled, regions: dict[str, str]) -> None:
    """The variable REGION is set in these layers, and the Deployment is restarted with what counts. A minute passes after each."""
    for layer, region in regions.items():
        assert api.owner.put(f"/v1/{layer}/variables/REGION", json={"value": region}).status_code == 200
    api.time.pass_(minutes=1)
    api.owner.post("/v1/deployments/sales/apply")
    api.reconciler.carry_out_all()
    api.time.pass_(minutes=1)


def refused(answer: Any, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    for one in words:
        assert one in answer.json()["message"], answer.text


def roles_in_airflow(api: Reconciled, deployment: str) -> dict[str, str | None]:
    found = api.platform.access_documents.of(api.organization, UUID(deployment))
    return {one.name: one.role for one in found.users}


def member_of_both(api: Reconciled, name: str, here: Role, there: Role) -> TestClient:
    return api.signed_in(
        name, Binding(here, workspace(api, "default")), Binding(there, workspace(api, "lab"))
    )


# ---- what follows


def test_it_is_in_the_other_workspace_and_goes_on_as_it_runs(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    reconciled.time.pass_(minutes=1)
    found = moved(reconciled)
    assert (found["workspace_name"], found["phase"], found["operation"]) == ("lab", "running", None)
    assert (found["revision"], found["observed_revision"]) == (2, 2)
    assert (found["slug"], found["agent_url"]) == (sales["slug"], sales["agent_url"])
    in_lab, in_default = (
        reconciled.owner.get("/v1/deployments", params={"workspace": one}).json()["total"]
        for one in ("lab", "default")
    )
    assert (in_lab, in_default) == (1, 0)


def test_roles_of_the_former_workspace_end_and_those_of_the_new_one_begin(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    former = reconciled.signed_in("fay", Binding(OPERATOR, workspace(reconciled, "default")))
    new = reconciled.signed_in("nora", Binding(VIEWER, workspace(reconciled, "lab")))
    assert roles_in_airflow(reconciled, sales["id"]) == {"ada": "ADMIN", "fay": "OP"}
    moved(reconciled)
    assert roles_in_airflow(reconciled, sales["id"]) == {"ada": "ADMIN", "nora": "VIEWER"}
    assert former.get("/v1/deployments/sales").status_code == 404
    assert new.get("/v1/deployments/sales").status_code == 200


async def test_its_airflow_is_told_at_once(reconciled: Reconciled, sales: dict[str, Any]) -> None:
    reconciled.user("nora", Binding(VIEWER, workspace(reconciled, "lab")))
    watch, documents = reconciled.platform.access_watch, reconciled.platform.access_documents
    since = documents.revision(reconciled.organization)
    with anyio.fail_after(1):
        waiting = asyncio.create_task(watch.wait(reconciled.organization, since, seconds=30))
        await asyncio.sleep(0)
        assert not waiting.done()
        answer = await asyncio.to_thread(move, reconciled.owner)
        assert answer.status_code == 200, answer.text
        assert await waiting == since + 1
    assert roles_in_airflow(reconciled, sales["id"])["nora"] == "VIEWER"


def test_tokens_of_a_workspace_are_for_the_deployments_that_it_has_now(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    of_former = reconciled.with_role(VIEWER, workspace="default")
    of_new = reconciled.with_role(VIEWER, workspace="lab")
    assert of_new.get("/v1/deployments/sales").status_code == 404
    moved(reconciled)
    assert of_former.get("/v1/deployments/sales").status_code == 404
    assert of_new.get("/v1/deployments/sales").status_code == 200


def test_roles_on_the_deployment_itself_go_along(reconciled: Reconciled, sales: dict[str, Any]) -> None:
    browser = reconciled.signed_in(
        "grace", Binding(Role.DEPLOYMENT_OPERATOR, Target(UUID(sales["workspace"]), UUID(sales["id"])))
    )
    post(reconciled, "teams", name="crew")
    on_it = {"role": "deployment_author", "deployment": "sales"}
    post(reconciled, "role-bindings", team="crew", **on_it)
    post(reconciled, "invites", email="linus@example.com", **on_it)
    token = reconciled.with_role(Role.DEPLOYMENT_VIEWER, deployment="sales")
    found = moved(reconciled)
    assert token.get("/v1/deployments/sales").status_code == 200
    assert browser.get("/v1/deployments/sales").json()["workspace_name"] == "lab"
    assert [one["name"] for one in browser.get("/v1/workspaces").json()["items"]] == ["lab"]
    with reconciled.platform.store.reading(reconciled.organization) as db:
        for table in (RoleBinding, TeamRoleBinding, ApiToken, Invite):
            bound = db.scalars(select(table).where(table.deployment_id == UUID(sales["id"]))).all()
            assert bound, table
            assert {str(one.workspace_id) for one in bound} == {found["workspace"]}, table


def test_the_former_workspace_can_be_deleted_and_takes_nothing_along(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    token = reconciled.with_role(Role.DEPLOYMENT_VIEWER, deployment="sales")
    moved(reconciled)
    assert reconciled.owner.delete("/v1/workspaces/default").status_code == 204
    assert token.get("/v1/deployments/sales").status_code == 200


# ---- settings


def test_settings_of_the_new_workspace_count_and_wait_for_a_restart(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    variables = "/v1/deployments/sales/variables"
    reconciled.owner.put("/v1/workspaces/default/variables/REGION", json={"value": "eu"})
    reconciled.owner.put("/v1/workspaces/lab/variables/REGION", json={"value": "us"})
    reconciled.time.pass_(minutes=1)
    reconciled.owner.post("/v1/deployments/sales/apply")
    reconciled.reconciler.carry_out_all()
    assert [one["applied"] for one in reconciled.owner.get(variables).json()["items"]] == [True]
    reconciled.time.pass_(minutes=1)
    found = moved(reconciled)
    assert (found["revision"], found["observed_revision"]) == (3, 2)
    [shown] = reconciled.owner.get(variables).json()["items"]
    assert (shown["value"], shown["origin"], shown["applied"]) == ("us", "workspace", False)
    reconciled.time.pass_(minutes=1)
    reconciled.owner.post("/v1/deployments/sales/apply")
    reconciled.reconciler.carry_out_all()
    assert reconciled.driver.given[sales["slug"]].environment == {"REGION": "us"}
    assert [one["applied"] for one in reconciled.owner.get(variables).json()["items"]] == [True]
    found = reconciled.deployment()
    assert found["revision"] == found["observed_revision"] == 4


def test_a_value_that_the_former_workspace_overrode_is_not_said_to_be_applied(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    """It was set before the last restart, and its processes never had it."""
    restarted_with_regions(reconciled, {"clusters/local": "eu", "workspaces/default": "us"})
    moved(reconciled)
    [shown] = reconciled.owner.get("/v1/deployments/sales/variables").json()["items"]
    assert (shown["value"], shown["origin"], shown["applied"]) == ("eu", "cluster", False)


def test_a_value_that_waited_for_a_restart_waits_for_it_after_the_move(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    """The same counts in both workspaces, and the processes have what was set before."""
    restarted_with_regions(reconciled, {"workspaces/default": "eu", "workspaces/lab": "us"})
    reconciled.owner.put("/v1/workspaces/default/variables/REGION", json={"value": "us"})
    reconciled.time.pass_(minutes=1)
    found = moved(reconciled)
    assert (found["revision"], found["observed_revision"]) == (3, 2)
    assert reconciled.driver.given[sales["slug"]].environment == {"REGION": "eu"}
    [shown] = reconciled.owner.get("/v1/deployments/sales/variables").json()["items"]
    assert (shown["value"], shown["applied"]) == ("us", False)


def test_what_is_read_of_running_deployments_has_the_new_settings(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    reconciled.owner.put("/v1/workspaces/lab/configuration/core.parallelism", json={"value": "7"})
    kept = RunningDeployments(reconciled.platform.store, reconciled.platform.ring)
    assert [one.document.configuration for one in kept.read()] == [{}]
    moved(reconciled)
    assert [one.document.configuration for one in kept.read()] == [{"core": {"parallelism": "7"}}]


# ---- who may


@pytest.mark.parametrize(
    ("here", "there", "status"),
    [
        (OWNER, OWNER, 200),
        (OWNER, OPERATOR, 200),
        (OWNER, Role.WORKSPACE_AUTHOR, 403),
        (OPERATOR, OWNER, 403),
        (VIEWER, OWNER, 403),
    ],
    ids=lambda one: getattr(one, "value", str(one)),
)
def test_a_caller_gives_the_deployment_away_and_creates_it_there(
    reconciled: Reconciled, sales: dict[str, Any], here: Role, there: Role, status: int
) -> None:
    """An operator who owns the other workspace would become the owner of the Deployment by the move."""
    assert move(member_of_both(reconciled, "mona", here, there)).status_code == status
    assert reconciled.deployment()["workspace_name"] == ("lab" if status == 200 else "default")


def test_an_administrator_of_the_deployment_moves_it_to_where_they_may_create_one(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    on_it = Binding(Role.DEPLOYMENT_ADMIN, Target(UUID(sales["workspace"]), UUID(sales["id"])))
    in_lab = Binding(OWNER, workspace(reconciled, "lab"))
    assert move(reconciled.signed_in("dora", on_it)).status_code == 404
    assert move(reconciled.signed_in("dan", on_it, in_lab)).status_code == 200


def test_a_custom_role_that_deletes_does_not_move(reconciled: Reconciled, sales: dict[str, Any]) -> None:
    """Whoever owns the other workspace would get every permission on the Deployment."""
    post(reconciled, "roles", name="undertaker", permissions=["deployment.delete", "members.update"])
    mover = reconciled.signed_in("mona", Binding(OWNER, workspace(reconciled, "lab")))
    post(reconciled, "role-bindings", user="mona", role="undertaker", deployment="sales")
    refused(move(mover), 403, "may not give")


def test_nobody_brings_others_into_a_workspace_whose_members_they_do_not_change(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    reconciled.user("grace")
    post(reconciled, "role-bindings", user="grace", role="deployment_author", deployment="sales")
    refused(move(member_of_both(reconciled, "mona", OWNER, OPERATOR)), 403, "'lab'", "user grace", "go along")
    assert move(member_of_both(reconciled, "olga", OWNER, OWNER)).status_code == 200


def test_a_workspace_that_the_caller_may_not_know_of_does_not_exist(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    caller = reconciled.with_role(OWNER, workspace="default")
    hidden, unknown = move(caller), move(caller, "nothing")
    assert hidden.status_code == unknown.status_code == 404
    assert unknown.json()["message"].replace("nothing", "lab") == hidden.json()["message"]
    stranger = reconciled.with_role(OWNER, workspace="lab")
    refused(move(stranger), 404, "no Deployment 'sales'")


# ---- what is refused


def test_a_workspace_that_may_not_use_the_cluster_does_not_get_it(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    answer = reconciled.owner.patch("/v1/clusters/local", json={"workspaces": ["default"]})
    assert answer.status_code == 200, answer.text
    refused(move(reconciled.owner), 409, "may not use the cluster 'local'")
    reconciled.owner.patch("/v1/clusters/local", json={"workspaces": ["default", "lab"]})
    moved(reconciled)


@pytest.mark.parametrize("held_by", ["user", "token", "invite"])
def test_a_role_of_other_workspaces_is_taken_away_first(
    reconciled: Reconciled, sales: dict[str, Any], held_by: str
) -> None:
    post(reconciled, "roles", name="on-call", permissions=["deployment.hibernate"], workspaces=["default"])
    given = {"role": "on-call", "deployment": "sales"}
    reconciled.user("grace")
    holder = {
        "user": lambda: post(reconciled, "role-bindings", user="grace", **given),
        "token": lambda: post(reconciled, "api-tokens", name="night", **given),
        "invite": lambda: post(reconciled, "invites", email="linus@example.com", **given),
    }[held_by]()
    named = {"user": "user grace", "token": "API token night", "invite": "invite linus@example.com"}[held_by]
    refused(move(reconciled.owner), 409, "'lab'", "on-call", named)
    path = {"user": "role-bindings", "token": "api-tokens", "invite": "invites"}[held_by]
    assert reconciled.owner.delete(f"/v1/{path}/{holder['id']}").status_code == 204
    moved(reconciled)


def test_it_is_not_moved_while_an_operation_runs(reconciled: Reconciled) -> None:
    post(reconciled, "workspaces", name="lab")
    asked = reconciled.create()
    answer = move(reconciled.owner)
    refused(answer, 409, "has not ended")
    assert answer.json()["detail"] == {"operation": asked["operation"]}


def test_one_whose_operation_failed_is_moved_and_goes_on_there(reconciled: Reconciled) -> None:
    post(reconciled, "workspaces", name="lab")
    reconciled.driver.failing["migrate"] = StepFailed("no", final=True)
    failed = reconciled.create()["operation"]
    reconciled.reconciler.carry_out_all()
    reconciled.driver.failing.clear()
    moved(reconciled)
    of_new = reconciled.with_role(OWNER, workspace="lab")
    assert of_new.post(f"/v1/operations/{failed}/retry").status_code == 202
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment()["phase"] == "running"


def test_a_deleted_one_is_restored_first_and_a_purged_one_stays(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    answer = move(reconciled.owner)
    refused(answer, 409, "is deleted")
    assert "tradewind deployments restore sales" in answer.json()["remedy"]
    reconciled.owner.post("/v1/deployments/sales/purge", json={"name": "sales"})
    reconciled.reconciler.carry_out_all()
    refused(move(reconciled.owner, deployment=sales["id"]), 409, "is purged")


def test_a_move_of_another_revision_is_refused(reconciled: Reconciled, sales: dict[str, Any]) -> None:
    reconciled.owner.patch("/v1/deployments/sales", json={"description": "EU"})
    assert move(reconciled.owner, **{"If-Match": '"1"'}).status_code == 412
    assert move(reconciled.owner, **{"If-Match": '"2"'}).headers["ETag"] == '"3"'


# ---- asked twice, and the audit trail


def test_a_move_to_where_it_is_changes_nothing(reconciled: Reconciled, sales: dict[str, Any]) -> None:
    first = moved(reconciled)
    assert moved(reconciled) == first
    assert [one["changes"] for one in reconciled.events(action="deployment.move")] == [
        {},
        {"workspace": ["default", "lab"]},
    ]


def test_a_repeated_key_moves_once(reconciled: Reconciled, sales: dict[str, Any]) -> None:
    """Between the request and its repetition somebody has moved it back."""
    first = move(reconciled.owner, **{"Idempotency-Key": "k"})
    moved(reconciled, "default")
    again = move(reconciled.owner, **{"Idempotency-Key": "k"})
    assert (again.status_code, again.json()) == (200, first.json())
    assert reconciled.deployment()["workspace_name"] == "default"


def test_owners_of_both_workspaces_read_the_one_event(reconciled: Reconciled, sales: dict[str, Any]) -> None:
    post(reconciled, "workspaces", name="other")
    owners = {name: reconciled.with_role(OWNER, workspace=name) for name in ("default", "lab", "other")}
    moved(reconciled)
    found = {
        name: caller.get("/v1/audit", params={"action": "deployment.move"}).json()["items"]
        for name, caller in owners.items()
    }
    [event] = found["default"]
    assert found["lab"] == [event] and found["other"] == []
    assert event["changes"] == {"workspace": ["default", "lab"]}
    assert event["target"] == "deployment:sales"


def test_what_happened_before_the_move_stays_with_the_former_workspace(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    former, new = (reconciled.with_role(OWNER, workspace=one) for one in ("default", "lab"))
    moved(reconciled)
    reconciled.owner.patch("/v1/deployments/sales", json={"description": "EU"})

    def seen(caller: TestClient) -> list[str]:
        events = caller.get("/v1/audit", params={"target": "deployment:sales"}).json()["items"]
        return [one["action"] for one in events]

    assert seen(former) == ["deployment.move", "deployment.create"]
    assert seen(new) == ["deployment.update", "deployment.move"]


def test_a_refused_move_is_an_event_of_the_workspace_that_has_it(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    owners = [reconciled.with_role(OWNER, workspace=one) for one in ("default", "lab")]
    assert move(member_of_both(reconciled, "mona", VIEWER, OWNER)).status_code == 403
    found = [one.get("/v1/audit", params={"action": "deployment.move"}).json()["items"] for one in owners]
    assert [[one["result"] for one in each] for each in found] == [["not_permitted"], []]
