"""Deployments through their life, with a driver whose cluster is a record in memory."""

from __future__ import annotations

import itertools
import threading
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from support.fake_driver import Killed
from support.platform_parts import Reconciled
from tradewind_platform.domain.roles import Role
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.reconciler.reconciler import TRIES
from tradewind_platform.store.tables import DeploymentSecret


def test_a_deployment_is_made_in_steps_and_is_then_healthy(reconciled: Reconciled) -> None:
    asked = reconciled.create()
    assert (asked["phase"], asked["health"]) == ("creating", "unknown")
    reconciled.reconciler.carry_out_all()
    made = reconciled.owner.get(f"/v1/operations/{asked['operation']}").json()
    assert (made["kind"], made["state"], made["error"]) == ("create", "succeeded", "")
    assert [step["state"] for step in made["steps"]] == ["succeeded"] * 5
    reconciled.reconciler.observer.observe_all()
    found = reconciled.deployment()
    assert (found["phase"], found["health"], found["operation"]) == ("running", "healthy", None)
    assert (found["revision"], found["observed_revision"]) == (1, 1)
    assert found["agent_url"] == f"https://c2345abc.external.example.com/{found['slug']}"
    assert found["people_url"] == f"https://{found['slug']}.c2345abc.example.com"


def test_two_deployments_have_nothing_in_common(reconciled: Reconciled) -> None:
    first, second = reconciled.created("sales"), reconciled.created("ops")
    assert first["slug"] != second["slug"] and first["id"] != second["id"]
    with reconciled.platform.store.reading(reconciled.organization) as db:
        values = [row.value for row in db.scalars(select(DeploymentSecret))]
    assert len(values) == len(set(values)) == 10


def test_another_policy_is_a_new_revision_that_an_operation_applies(reconciled: Reconciled) -> None:
    reconciled.created()
    changed = reconciled.owner.patch("/v1/deployments/sales", json={"policy": "strict, lab=open"}).json()
    assert (changed["revision"], changed["observed_revision"], changed["phase"]) == (2, 1, "updating")
    reconciled.reconciler.carry_out_all()
    found = reconciled.deployment()
    assert (found["observed_revision"], found["phase"]) == (2, "running")
    assert "revision 2" in reconciled.driver.cluster.of(found["slug"])


def test_another_description_needs_no_operation(reconciled: Reconciled) -> None:
    reconciled.created()
    changed = reconciled.owner.patch("/v1/deployments/sales", json={"description": "EU"}).json()
    assert (changed["description"], changed["policy"]) == ("EU", "strict")
    assert (changed["revision"], changed["observed_revision"], changed["operation"]) == (2, 2, None)


def test_nothing_is_asked_of_it_while_an_operation_runs(reconciled: Reconciled) -> None:
    asked = reconciled.create()
    refused = reconciled.owner.delete("/v1/deployments/sales")
    assert refused.status_code == 409
    assert refused.json()["detail"] == {"operation": asked["operation"]}


def test_scenario_17_a_protected_deployment_is_not_deleted(reconciled: Reconciled) -> None:
    reconciled.created(deletion_protection=True)
    refused = reconciled.owner.delete("/v1/deployments/sales")
    assert (refused.status_code, "protected" in refused.json()["message"]) == (409, True)
    reconciled.owner.patch("/v1/deployments/sales", json={"deletion_protection": False})
    assert reconciled.owner.delete("/v1/deployments/sales").status_code == 202


def test_scenario_17_it_is_deleted_restored_deleted_and_purged(reconciled: Reconciled) -> None:
    made = reconciled.created()
    cluster, slug = reconciled.driver.cluster, made["slug"]
    data = cluster.data[slug]
    assert reconciled.owner.delete("/v1/deployments/sales").json()["kind"] == "delete"
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment()["phase"] == "deleted"
    assert cluster.of(slug) == {"database", "role", "tables", "revision 1"}
    taken = reconciled.owner.post("/v1/deployments", json={"name": "sales"})
    assert (taken.status_code, "purge" in taken.json()["remedy"]) == (409, True)

    reconciled.owner.post("/v1/deployments/sales/restore")
    reconciled.reconciler.carry_out_all()
    reconciled.reconciler.observer.observe_all()
    assert (reconciled.deployment()["health"], cluster.data[slug]) == ("healthy", data)

    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    assert reconciled.owner.post("/v1/deployments/sales/purge", json={"name": "sails"}).status_code == 422
    reconciled.owner.post("/v1/deployments/sales/purge", json={"name": "sales"})
    reconciled.reconciler.carry_out_all()
    assert cluster.of(slug) == set()
    with reconciled.platform.store.reading(reconciled.organization) as db:
        assert db.scalars(select(DeploymentSecret)).all() == []
    assert reconciled.deployment(made["id"])["phase"] == "purged"
    assert reconciled.owner.get("/v1/deployments").json()["items"] == []
    assert reconciled.created("sales")["slug"] != slug


def test_scenario_17_what_was_deleted_is_purged_after_fourteen_days(reconciled: Reconciled) -> None:
    made = reconciled.created()
    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    reconciled.time.pass_(days=14, seconds=-1)
    reconciled.reconciler.observer.begin_what_is_due()
    assert reconciled.deployment()["operation"] is None
    reconciled.time.pass_(seconds=1)
    reconciled.reconciler.observer.begin_what_is_due()
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment(made["id"])["phase"] == "purged"
    event = reconciled.events(action="deployment.purge")[0]
    assert (event["actor"], event["reason"]) == ("system", "its retention is over")


def test_a_step_that_fails_is_tried_again_and_then_fails_its_operation(reconciled: Reconciled) -> None:
    asked = reconciled.create()
    reconciled.driver.failing["migrate"] = StepFailed("the database is full")
    reconciled.reconciler.carry_out_all()
    operation = reconciled.owner.get(f"/v1/operations/{asked['operation']}").json()
    assert (operation["state"], operation["error"]) == ("failed", "migrate: the database is full")
    assert [step["tries"] for step in operation["steps"]] == [1, 1, TRIES, 0, 0]
    assert reconciled.deployment()["phase"] == "failed"

    reconciled.driver.failing.clear()
    reconciled.owner.post(f"/v1/operations/{asked['operation']}/retry")
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment()["phase"] == "running"
    assert len(reconciled.driver.cluster.made) == len(set(reconciled.driver.cluster.made))


def test_a_try_waits_after_the_one_that_failed(reconciled: Reconciled) -> None:
    asked = reconciled.create()
    reconciled.driver.failing["migrate"] = StepFailed("not yet")
    reconciler = reconciled.reconciler

    def due() -> int:
        return len(list(reconciler.due(reconciled.time())))

    reconciler.carry_out(reconciler._unfinished()[0])
    assert due() == 0
    assert reconciler.seconds_to_next_look(reconciled.time()) == 1
    reconciled.time.pass_(seconds=1)
    assert due() == 1
    assert reconciled.owner.get(f"/v1/operations/{asked['operation']}").json()["state"] == "running"


def test_an_operation_whose_deployment_is_being_observed_is_looked_at_a_second_later(
    reconciled: Reconciled,
) -> None:
    asked = reconciled.create()
    reconciler, now = reconciled.reconciler, reconciled.time()
    (operation,) = reconciler.due(now)
    with reconciler._claims.alone_with(UUID(asked["id"])):
        reconciler.carry_out(operation)
    assert not list(reconciler.due(now)) and reconciler.seconds_to_next_look(now) == 1
    reconciled.time.pass_(seconds=1)
    assert list(reconciler.due(reconciled.time())) == [operation]


def test_a_failure_that_is_final_is_not_tried_again(reconciled: Reconciled) -> None:
    asked = reconciled.create()
    reconciled.driver.failing["database"] = StepFailed("there is no such server", final=True)
    reconciled.reconciler.carry_out_all()
    operation = reconciled.owner.get(f"/v1/operations/{asked['operation']}").json()
    assert (operation["state"], operation["steps"][0]["tries"]) == ("failed", 1)


def test_an_unexpected_error_fails_the_step_and_tells_nothing_of_its_text(reconciled: Reconciled) -> None:
    asked = reconciled.create()
    secret: Any = RuntimeError("password=hunter2")
    reconciled.driver.failing["database"] = secret
    reconciled.reconciler.carry_out_all()
    answer = reconciled.owner.get(f"/v1/operations/{asked['operation']}").text
    assert "RuntimeError" in answer and "hunter2" not in answer


def test_what_died_is_started_again_and_a_broken_deployment_says_why(reconciled: Reconciled) -> None:
    slug = reconciled.created()["slug"]
    cluster = reconciled.driver.cluster
    cluster.end(slug, "scheduler")
    reconciled.reconciler.observer.observe_all()
    assert "scheduler" in cluster.of(slug) and reconciled.deployment()["health"] == "healthy"
    cluster.end(slug, "route")
    reconciled.time.pass_(minutes=1)
    reconciled.reconciler.observer.observe_all()
    found = reconciled.deployment()
    assert (found["health"], found["health_reason"]) == ("unhealthy", "The route is missing.")
    wrong = [one for one in found["conditions"] if one["status"] == "false"]
    assert [(one["type"], one["remedy"]) for one in wrong] == [("RouteServed", "Make it.")]
    assert wrong[0]["since"] > found["conditions"][0]["since"]


def live(reconciled: Reconciled, name: str, carry_out: Any) -> dict[str, Any]:
    """Create, update, delete, restore, delete, purge. Returns the Deployment as it is at the end."""
    made = reconciled.create(name)
    path = f"/v1/deployments/{made['id']}"
    asks = [
        None,
        lambda: reconciled.owner.patch(path, json={"policy": "open"}),
        lambda: reconciled.owner.delete(path),
        lambda: reconciled.owner.post(f"{path}/restore"),
        lambda: reconciled.owner.delete(path),
        lambda: reconciled.owner.post(f"{path}/purge", json={"name": name}),
    ]
    for ask in asks:
        if ask is not None:
            assert ask().status_code < 300
        carry_out()
    return reconciled.deployment(made["id"])


@pytest.mark.timeout(300)
def test_scenario_11_killed_at_any_point_it_converges_with_nothing_twice_and_nothing_left(
    reconciled: Reconciled,
) -> None:
    killed: set[str] = set()
    kind = [""]
    for wanted in itertools.count():
        before = len(killed)
        left = [0]

        def at(point: str, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == -1:
                killed.add(f"{kind[0]}: {point}")
                raise Killed(point)

        def carry_out(wanted: int = wanted, left: list[int] = left) -> None:
            """Each operation is killed at its point number `wanted`, where it has so many."""
            left[0] = wanted
            kind[0] = reconciled.owner.get("/v1/operations").json()["items"][0]["kind"]
            try:
                reconciled.new_reconciler().carry_out_all()
            except Killed:
                reconciled.new_reconciler().carry_out_all()

        reconciled.driver.at = at
        end = live(reconciled, f"killed-{wanted}", carry_out)
        # The cluster of the fake refuses to make anything that is there.
        assert end["phase"] == "purged" and reconciled.driver.cluster.of(end["slug"]) == set()
        if len(killed) == before:
            break
    assert {one.partition(":")[0] for one in killed} == {"create", "update", "delete", "restore", "purge"}
    assert len(killed) >= 40


def test_operations_of_several_deployments_run_side_by_side(reconciled: Reconciled) -> None:
    both = threading.Barrier(2, timeout=30)
    reconciled.driver.at = lambda point: both.wait() and None if point == "before migrate" else None
    names = ["one", "two"]
    for name in names:
        reconciled.create(name)
    worker = threading.Thread(target=reconciled.reconciler.run)
    worker.start()
    try:
        while {reconciled.deployment(name)["phase"] for name in names} != {"running"}:
            reconciled.reconciler.wake()
    finally:
        reconciled.reconciler.stop()
        worker.join()


@pytest.mark.parametrize(
    ("role", "scope", "visible", "may_create", "may_delete"),
    [
        (Role.WORKSPACE_OPERATOR, {"workspace": "default"}, True, 201, 202),
        (Role.WORKSPACE_VIEWER, {"workspace": "default"}, True, 403, 403),
        (Role.WORKSPACE_OWNER, {"workspace": "other"}, False, 404, 404),
        (Role.DEPLOYMENT_ADMIN, {"deployment": "sales"}, True, 403, 202),
        (Role.DEPLOYMENT_OPERATOR, {"deployment": "sales"}, True, 403, 403),
        (Role.ORGANIZATION_MEMBER, {}, False, 404, 404),
    ],
)
def test_roles_hold_on_deployments(
    reconciled: Reconciled, role: Role, scope: dict[str, str], visible: bool, may_create: int, may_delete: int
) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "other"})
    reconciled.created()
    caller = reconciled.with_role(role, **scope)
    assert [one["name"] for one in caller.get("/v1/deployments").json()["items"]] == ["sales"] * visible
    assert caller.post("/v1/deployments", json={"name": "made"}).status_code == may_create
    assert caller.delete("/v1/deployments/sales").status_code == may_delete
