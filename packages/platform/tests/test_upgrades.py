"""Versions of a Deployment: upgraded with a backup before, brought back when that fails, and restored by a person."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from support.platform_parts import Reconciled
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.roles import Role
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.store.life_tables import Backup


@pytest.fixture
def sales(reconciled: Reconciled) -> Reconciled:
    """With a Deployment of 3.3.0, where 3.3.2 is offered, too."""
    releases = tuple(Release(version) for version in ("3.3.2", "3.3.0"))
    platform = replace(reconciled.platform, offered=Offered(releases))
    reconciled.app.state.platform = platform
    reconciled.created(version="3.3.0")
    return reconciled


def upgrade(sales: Reconciled, **more: Any) -> dict[str, Any]:
    answer = sales.owner.post("/v1/deployments/sales/upgrade", json={"version": "3.3.2", **more})
    assert answer.status_code == 202, answer.text
    sales.reconciler.carry_out_all()
    found: dict[str, Any] = sales.owner.get(f"/v1/operations/{answer.json()['id']}").json()
    return found


def backups(sales: Reconciled) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sales.owner.get("/v1/deployments/sales/backups").json()["items"]
    return found


def test_a_new_deployment_has_the_newest_version_unless_another_one_is_asked_for(sales: Reconciled) -> None:
    assert sales.created("ops")["version"] == "3.3.2"
    assert sales.deployment()["version"] == "3.3.0"
    refused = sales.owner.post("/v1/deployments", json={"name": "lab", "version": "3.9.9"})
    assert refused.status_code == 404 and "3.3.2, 3.3.0" in refused.json()["remedy"]


def test_an_upgrade_makes_a_backup_first_and_is_a_revision(sales: Reconciled) -> None:
    done = upgrade(sales)
    found = sales.deployment()
    assert (done["state"], found["phase"], found["version"]) == ("succeeded", "running", "3.3.2")
    assert (found["revision"], found["observed_revision"]) == (2, 2)
    [made] = backups(sales)
    assert (made["state"], made["version"], made["operation"]) == ("succeeded", "3.3.0", done["id"])
    event = sales.events(action="deployment.upgrade")[0]
    assert event["changes"] == {"version": ["3.3.0", "3.3.2"]}


@pytest.mark.parametrize("step", ["look", "close", "stop", "back_up", "configure", "upgrade", "start"])
def test_scenario_13_an_upgrade_that_fails_is_undone_by_itself_and_says_at_which_step(
    sales: Reconciled, step: str
) -> None:
    slug = sales.deployment()["slug"]
    sales.driver.schema[slug] = "3.3.0"
    sales.driver.failing[step] = StepFailed("the disk is full", final=True)
    begun = sales.owner.post("/v1/deployments/sales/upgrade", json={"version": "3.3.2"}).json()
    points: list[str] = []

    def at(point: str) -> None:
        points.append(point)
        if points.count(f"before {step}") == 2:
            sales.driver.failing.clear()

    sales.driver.at = at
    sales.reconciler.carry_out_all()
    operation = sales.owner.get(f"/v1/operations/{begun['id']}").json()
    assert operation["state"] == "failed" and operation["error"].startswith(f"{step}: the disk is full")
    sales.reconciler.observer.observe_all()
    found = sales.deployment()
    assert (found["phase"], found["health"], found["version"]) == ("running", "healthy", "3.3.0")
    assert found["revision"] == found["observed_revision"] == 3
    assert sales.driver.schema[slug] == "3.3.0"
    assert "closed route" not in sales.driver.cluster.of(slug)


def test_an_upgrade_that_fails_once_the_route_is_open_is_not_undone(sales: Reconciled) -> None:
    sales.driver.failing["route"] = StepFailed("the gateway is away", final=True)
    done = upgrade(sales)
    assert done["state"] == "failed" and sales.deployment()["phase"] == "failed"
    assert sales.driver.schema[sales.deployment()["slug"]] == "3.3.2"


def test_a_dry_run_shows_the_table_and_changes_nothing(sales: Reconciled) -> None:
    done = upgrade(sales, dry_run=True)
    assert [one["check"] for one in done["facts"]["preflight"]] == ["version"]
    found = sales.deployment()
    assert (found["version"], found["revision"], backups(sales)) == ("3.3.0", 1, [])


def test_scenario_14_a_rollback_says_how_many_runs_would_be_forgotten_and_needs_them_accepted(
    sales: Reconciled,
) -> None:
    slug = sales.deployment()["slug"]
    sales.driver.schema[slug] = "3.3.0"
    upgrade(sales)
    [backup] = backups(sales)
    sales.driver.runs = 12
    path = f"/v1/deployments/sales/backups/{backup['id']}/restore"
    begun = sales.owner.post(path, json={}).json()
    sales.reconciler.carry_out_all()
    refused = sales.owner.get(f"/v1/operations/{begun['id']}").json()
    assert refused["error"] == "count: 12 runs will be forgotten"
    assert (sales.deployment()["phase"], sales.deployment()["version"]) == ("running", "3.3.2")

    begun = sales.owner.post(path, json={"accept_loss": True}).json()
    sales.reconciler.carry_out_all()
    done = sales.owner.get(f"/v1/operations/{begun['id']}").json()
    assert (done["state"], done["facts"]["forgotten"]) == ("succeeded", 12)
    assert (sales.deployment()["phase"], sales.deployment()["version"]) == ("running", "3.3.0")
    assert sales.driver.schema[slug] == "3.3.0"
    assert sales.events(action="backup.restore")[0]["changes"]["accept_loss"] is True


def test_backups_are_kept_as_long_as_asked_and_have_a_key_each(sales: Reconciled) -> None:
    for keep_days in (1, 90):
        sales.owner.post("/v1/deployments/sales/backups", json={"keep_days": keep_days})
        sales.reconciler.carry_out_all()
    with sales.platform.store.reading(sales.organization) as db:
        keys = [one.key for one in db.scalars(select(Backup))]
    assert len(set(keys)) == 2 and all(key.startswith("g1.") for key in keys)
    sales.time.pass_(days=2)
    sales.owner.post("/v1/deployments/sales/backups", json={})
    sales.reconciler.carry_out_all()
    listed = {one["id"] for one in backups(sales)}
    assert len(listed) == 2 == len(sales.driver.backups) and listed == set(sales.driver.backups)


def test_a_backup_that_failed_is_not_restored(sales: Reconciled) -> None:
    sales.driver.failing["back_up"] = StepFailed("no room", final=True)
    sales.owner.post("/v1/deployments/sales/backups", json={})
    sales.reconciler.carry_out_all()
    [failed] = backups(sales)
    assert failed["state"] == "failed" and sales.deployment()["phase"] == "running"
    path = f"/v1/deployments/sales/backups/{failed['id']}/restore"
    assert sales.owner.post(path, json={"accept_loss": True}).status_code == 409


def test_another_deployments_backup_is_not_found(sales: Reconciled) -> None:
    sales.created("ops")
    sales.owner.post("/v1/deployments/ops/backups", json={})
    sales.reconciler.carry_out_all()
    id = sales.owner.get("/v1/deployments/ops/backups").json()["items"][0]["id"]
    answer = sales.owner.post(f"/v1/deployments/sales/backups/{id}/restore", json={"accept_loss": True})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.DEPLOYMENT_ADMIN, 202), (Role.DEPLOYMENT_OPERATOR, 403)],
    ids=["admin", "operator"],
)
def test_who_may_upgrade_may_back_up(sales: Reconciled, role: Role, status: int) -> None:
    caller = sales.with_role(role, deployment="sales")
    assert caller.post("/v1/deployments/sales/backups", json={}).status_code == status
    sales.reconciler.carry_out_all()
    assert caller.post("/v1/deployments/sales/upgrade", json={"version": "3.3.2"}).status_code == status
