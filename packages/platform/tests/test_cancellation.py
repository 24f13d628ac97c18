"""An operation that is cancelled ends between two steps, and what it did is undone or named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from support.platform_parts import Reconciled
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.roles import Role


def cancel(reconciled: Reconciled, operation: str) -> int:
    return reconciled.owner.post(
        f"/v1/operations/{operation}/cancel", params={"reason": "changed my mind"}
    ).status_code


def operation(reconciled: Reconciled, id: str) -> dict[str, Any]:
    found: dict[str, Any] = reconciled.owner.get(f"/v1/operations/{id}").json()
    return found


def cancelled_at(reconciled: Reconciled, point: str, id: Callable[[], str]) -> None:
    """Cancel it while the step at this point is done."""
    asked: list[int] = []

    def at(now: str) -> None:
        if now == point and not asked:
            asked.append(cancel(reconciled, id()))

    reconciled.driver.at = at
    reconciled.reconciler.carry_out_all()
    assert asked == [202]


def test_one_that_has_not_begun_changes_nothing(reconciled: Reconciled) -> None:
    before = set(reconciled.driver.cluster.of(reconciled.created()["slug"]))
    begun = reconciled.owner.post("/v1/deployments/sales/hibernate", json={}).json()
    assert cancel(reconciled, begun["id"]) == 202
    reconciled.reconciler.carry_out_all()
    found = operation(reconciled, begun["id"])
    assert (found["state"], found["error"]) == ("cancelled", "cancelled by token:ada")
    assert {one["state"] for one in found["steps"]} == {"skipped"}
    assert reconciled.deployment()["phase"] == "running"
    assert reconciled.driver.cluster.of(reconciled.deployment()["slug"]) == before


def test_a_hibernation_that_waits_for_tasks_is_undone(reconciled: Reconciled) -> None:
    slug = reconciled.created()["slug"]
    reconciled.driver.tasks[slug] = 1
    begun = reconciled.owner.post("/v1/deployments/sales/hibernate", json={}).json()
    reconciled.reconciler.carry_out_all()
    assert cancel(reconciled, begun["id"]) == cancel(reconciled, begun["id"]) == 202
    reconciled.reconciler.carry_out_all()
    found = operation(reconciled, begun["id"])
    assert found["state"] == "cancelled"
    states = {one["name"]: one["state"] for one in found["steps"]}
    assert (states["cordon"], states["wait_for_tasks"], states["stop"]) == ("succeeded", "skipped", "skipped")
    assert states["uncordon"] == "succeeded"
    assert reconciled.deployment()["phase"] == "running"
    assert not reconciled.driver.cluster.of(slug) & {"cordon", "closed route"}


def test_its_schedule_does_not_begin_a_cancelled_hibernation_again(reconciled: Reconciled) -> None:
    reconciled.created()
    schedule = {"hibernate_at_cron": "0 19 * * *", "wake_at_cron": "0 7 * * *"}
    reconciled.owner.put("/v1/deployments/sales/hibernation", json={"schedules": [schedule]})
    reconciled.time.pass_(hours=8)
    reconciled.reconciler.observer.begin_what_is_due()
    [begun] = [
        one for one in reconciled.owner.get("/v1/operations").json()["items"] if one["kind"] == "hibernate"
    ]
    cancel(reconciled, begun["id"])
    reconciled.reconciler.carry_out_all()
    reconciled.time.pass_(hours=1)
    reconciled.reconciler.observer.begin_what_is_due()
    assert reconciled.deployment()["phase"] == "running"


@pytest.mark.parametrize("step", ["database", "migrate", "start"])
def test_a_creation_leaves_nothing_and_its_name_is_free(reconciled: Reconciled, step: str) -> None:
    made = reconciled.create()
    cancelled_at(reconciled, f"after {step}", lambda: made["operation"])
    assert operation(reconciled, made["operation"])["state"] == "cancelled"
    assert reconciled.driver.cluster.of(made["slug"]) == set()
    assert reconciled.owner.get("/v1/deployments/sales").status_code == 404
    again = reconciled.created()
    assert again["health"] == "healthy" and again["slug"] != made["slug"]


def upgraded(reconciled: Reconciled) -> str:
    releases = Offered((Release("3.3.2"), Release("3.3.0")))
    reconciled.app.state.platform = replace(reconciled.platform, offered=releases)
    slug = reconciled.created(version="3.3.0")["slug"]
    reconciled.driver.schema[slug] = "3.3.0"
    begun = reconciled.owner.post("/v1/deployments/sales/upgrade", json={"version": "3.3.2"})
    return str(begun.json()["id"])


@pytest.mark.parametrize("step", ["close", "back_up", "upgrade", "start"])
def test_an_upgrade_is_undone_from_its_backup(reconciled: Reconciled, step: str) -> None:
    id = upgraded(reconciled)
    cancelled_at(reconciled, f"after {step}", lambda: id)
    found, deployment = operation(reconciled, id), reconciled.deployment()
    assert (found["state"], found["cancelled_by"]) == ("cancelled", "token:ada")
    assert (deployment["phase"], deployment["version"]) == ("running", "3.3.0")
    assert deployment["revision"] == deployment["observed_revision"]
    assert reconciled.driver.schema[deployment["slug"]] == "3.3.0"
    retried = reconciled.owner.post(f"/v1/operations/{id}/retry")
    assert retried.status_code == 409


def test_an_upgrade_that_serves_again_goes_on(reconciled: Reconciled) -> None:
    id = upgraded(reconciled)
    cancelled_at(reconciled, "before route", lambda: id)
    assert operation(reconciled, id)["state"] == "succeeded"
    assert reconciled.deployment()["version"] == "3.3.2"


def test_an_operation_says_whether_it_would_end_when_it_is_cancelled_now(reconciled: Reconciled) -> None:
    id = upgraded(reconciled)
    may: dict[str, bool] = {"": operation(reconciled, id)["may_be_cancelled"]}

    def at(point: str) -> None:
        may[point] = operation(reconciled, id)["may_be_cancelled"]

    reconciled.driver.at = at
    reconciled.reconciler.carry_out_all()
    assert may[""] and may["before look"] and may["after start"]
    assert not may["before route"] and not operation(reconciled, id)["may_be_cancelled"]
    reconciled.driver.at = lambda point: None
    begun = reconciled.owner.post("/v1/deployments/sales/backups", json={}).json()
    assert begun["may_be_cancelled"]
    cancel(reconciled, begun["id"])
    assert not operation(reconciled, begun["id"])["may_be_cancelled"]  # it was asked for already
    reconciled.reconciler.carry_out_all()
    assert not reconciled.owner.delete("/v1/deployments/sales").json()["may_be_cancelled"]


def test_a_change_that_is_half_applied_is_named(reconciled: Reconciled) -> None:
    reconciled.created()
    changed = reconciled.owner.patch("/v1/deployments/sales", json={"policy": "open"}).json()
    cancelled_at(reconciled, "after configure", lambda: changed["operation"])
    found = operation(reconciled, changed["operation"])
    assert (found["state"], found["error"]) == ("cancelled", "cancelled by token:ada before the step migrate")
    assert reconciled.deployment()["phase"] == "failed"
    reconciled.owner.patch("/v1/deployments/sales", json={"policy": "strict"})
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment()["phase"] == "running"


def test_a_backup_that_is_cancelled_leaves_the_deployment_as_it_is(reconciled: Reconciled) -> None:
    reconciled.created()
    begun = reconciled.owner.post("/v1/deployments/sales/backups", json={}).json()
    cancel(reconciled, begun["id"])
    reconciled.reconciler.carry_out_all()
    [backup] = reconciled.owner.get("/v1/deployments/sales/backups").json()["items"]
    assert (operation(reconciled, begun["id"])["state"], backup["state"]) == ("cancelled", "failed")
    assert reconciled.deployment()["phase"] == "running"


def test_what_has_ended_and_a_deletion_are_not_cancelled(reconciled: Reconciled) -> None:
    reconciled.created()
    [create] = reconciled.owner.get("/v1/operations").json()["items"]
    assert cancel(reconciled, create["id"]) == 409
    deletion = reconciled.owner.delete("/v1/deployments/sales").json()
    refused = reconciled.owner.post(f"/v1/operations/{deletion['id']}/cancel")
    assert refused.status_code == 409 and "restore" in refused.json()["remedy"]


def test_a_cancellation_is_in_the_audit_trail_with_its_reason_and_needs_the_operations_permission(
    reconciled: Reconciled,
) -> None:
    reconciled.created()
    begun = reconciled.owner.post("/v1/deployments/sales/backups", json={}).json()
    viewer = reconciled.with_role(Role.DEPLOYMENT_VIEWER, deployment="sales")
    assert viewer.post(f"/v1/operations/{begun['id']}/cancel").status_code == 403
    cancel(reconciled, begun["id"])
    events = reconciled.events(action="operation.cancel")
    assert [(one["actor"], one["result"]) for one in reversed(events)] == [
        (events[-1]["actor"], "not_permitted"),
        ("token:ada", "done"),
    ]
    assert events[0]["reason"] == "changed my mind" and events[0]["changes"] == {"operation": "backup"}
