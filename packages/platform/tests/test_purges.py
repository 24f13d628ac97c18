"""A purge that failed: what may follow, when it is tried again by itself, and what is shown meanwhile."""

from __future__ import annotations

import importlib
from datetime import datetime, timedelta
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import select

from support.platform_parts import NOW, Reconciled
from tradewind_platform.domain import purges
from tradewind_platform.domain.operations import GONE, Kind, Phase, may_begin
from tradewind_platform.domain.quotas import COUNTED
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.store.tables import Deployment

SALES = "/v1/deployments/sales"


def delete(reconciled: Reconciled) -> None:
    assert reconciled.owner.delete(SALES).status_code == 202
    reconciled.reconciler.carry_out_all()


def fail_to_purge(reconciled: Reconciled) -> dict[str, Any]:
    """Purge the deleted Deployment in vain. Returns the operation."""
    reconciled.driver.failing["erase"] = StepFailed("the disk is read-only", final=True)
    begun = reconciled.owner.post(f"{SALES}/purge", json={"name": "sales"})
    assert begun.status_code == 202, begun.text
    reconciled.reconciler.carry_out_all()
    found: dict[str, Any] = reconciled.owner.get(f"/v1/operations/{begun.json()['id']}").json()
    assert (found["state"], found["error"]) == ("failed", "erase: the disk is read-only")
    return found


def sweep(reconciled: Reconciled) -> str:
    """What begins by itself now is done. Returns the phase of the Deployment then."""
    reconciled.reconciler.observer.begin_what_is_due()
    reconciled.reconciler.carry_out_all()
    with reconciled.platform.store.reading(reconciled.organization) as db:
        return str(db.scalars(select(Deployment.phase)).one())


@pytest.fixture
def half_erased(reconciled: Reconciled) -> Reconciled:
    """With a Deployment whose purge has failed."""
    reconciled.created()
    reconciled.owner.post(f"{SALES}/backups", json={})
    reconciled.reconciler.carry_out_all()
    delete(reconciled)
    fail_to_purge(reconciled)
    return reconciled


# ---- the rules


def test_after_a_purge_that_failed_only_a_purge_begins() -> None:
    assert Kind.PURGE.after_failure is Phase.PURGE_FAILED
    assert [kind for kind in Kind if may_begin(kind, Phase.PURGE_FAILED)] == [Kind.PURGE]
    assert [kind for kind in Kind if kind.after_failed_undo is Phase.PURGE_FAILED] == [Kind.CREATE]


def test_one_that_is_gone_does_not_count_and_comes_back_from_its_deletion_only() -> None:
    assert not GONE & COUNTED
    assert {(kind, phase) for kind in Kind for phase in GONE if may_begin(kind, phase)} == {
        (Kind.RESTORE, Phase.DELETED),
        (Kind.PURGE, Phase.DELETED),
        (Kind.PURGE, Phase.PURGE_FAILED),
    }


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(1, 10), (2, 20), (3, 40), (8, 1280), (9, 1440), (500, 1440)],
    ids=["first", "second", "third", "eighth", "ninth", "ever again"],
)
def test_it_is_tried_again_less_and_less_often_and_each_day_at_least(failures: int, minutes: int) -> None:
    assert purges.next_try(NOW, failures) == NOW + timedelta(minutes=minutes)


# ---- what may follow


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/apply", None),
        ("PATCH", "", {"policy": "strict, lab=open"}),
        ("POST", "/restore", None),
        ("POST", "/wake", {}),
        ("POST", "/hibernate", {}),
        ("POST", "/clean-up", {"keep_days": 30}),
        ("POST", "/backups", {}),
        ("POST", "/backups/{backup}/restore", {"accept_loss": True}),
        ("POST", "/move", {"workspace": "lab"}),
        ("DELETE", "", None),
    ],
    ids=lambda one: one if isinstance(one, str) and one else "-",
)
def test_nothing_brings_a_half_erased_deployment_back(
    half_erased: Reconciled, method: str, path: str, body: Any
) -> None:
    """It would run without its data, and above the quota of its workspace, which has its place already."""
    half_erased.owner.post("/v1/workspaces", json={"name": "lab"})
    [backup] = half_erased.owner.get(f"{SALES}/backups").json()["items"]
    answer = half_erased.owner.request(method, SALES + path.format(backup=backup["id"]), json=body)
    assert answer.status_code == 409, answer.text
    assert "is purge_failed" in answer.json()["message"]
    assert "tradewind deployments purge" in answer.json()["remedy"]
    assert half_erased.deployment()["phase"] == "purge_failed"


def test_it_has_no_place_in_the_quota_of_its_workspace(half_erased: Reconciled) -> None:
    half_erased.owner.patch("/v1/workspaces/default", json={"deployments_at_most": 1})
    assert half_erased.owner.get("/v1/workspaces/default").json()["deployments"] == 0
    half_erased.created("ops")
    assert half_erased.owner.post("/v1/deployments", json={"name": "third"}).status_code == 409


def test_its_name_is_taken_until_it_is_purged(half_erased: Reconciled) -> None:
    refused = half_erased.owner.post("/v1/deployments", json={"name": "sales"})
    assert refused.status_code == 409 and "purge the one" in refused.json()["remedy"]


@pytest.mark.parametrize("again", ["retry", "purge"])
def test_a_person_tries_again(reconciled: Reconciled, again: str) -> None:
    made = reconciled.created()
    delete(reconciled)
    failed = fail_to_purge(reconciled)
    reconciled.driver.failing.clear()
    if again == "retry":
        answer = reconciled.owner.post(f"/v1/operations/{failed['id']}/retry")
    else:
        answer = reconciled.owner.post(f"{SALES}/purge", json={"name": "sales"})
    assert answer.status_code == 202, answer.text
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment(made["id"])["phase"] == "purged"
    assert reconciled.driver.cluster.of(made["slug"]) == set()


def test_a_creation_whose_erasure_failed_is_erased_and_nothing_else(reconciled: Reconciled) -> None:
    """It was cancelled: what is there is a part of what was being made."""
    made = reconciled.create()
    reconciled.driver.failing["erase"] = StepFailed("the disk is read-only", final=True)

    def at(point: str) -> None:
        if point == "after database":
            reconciled.owner.post(f"/v1/operations/{made['operation']}/cancel")

    reconciled.driver.at = at
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment()["phase"] == "purge_failed"
    assert reconciled.owner.post(f"{SALES}/apply").status_code == 409
    reconciled.driver.failing.clear()
    reconciled.time.pass_(minutes=10)
    assert sweep(reconciled) == "purged"
    assert reconciled.driver.cluster.of(made["slug"]) == set()


# ---- by itself


def test_a_purge_that_failed_is_tried_again_after_ten_minutes_and_then_twice_as_long(
    half_erased: Reconciled,
) -> None:
    half_erased.time.pass_(minutes=10, seconds=-1)
    assert sweep(half_erased) == "purge_failed"
    assert len(half_erased.events(action="deployment.purge")) == 1
    half_erased.time.pass_(seconds=1)
    assert sweep(half_erased) == "purge_failed"
    event = half_erased.events(action="deployment.purge")[0]
    assert (event["actor"], event["reason"]) == ("system", "its purge has failed")
    half_erased.driver.failing.clear()
    half_erased.time.pass_(minutes=19)
    assert sweep(half_erased) == "purge_failed"
    half_erased.time.pass_(minutes=1)
    assert sweep(half_erased) == "purged"


def test_one_whose_retention_is_over_is_tried_again_too(reconciled: Reconciled) -> None:
    reconciled.created()
    delete(reconciled)
    reconciled.driver.failing["erase"] = StepFailed("no", final=True)
    reconciled.time.pass_(days=14)
    assert sweep(reconciled) == "purge_failed"
    reconciled.driver.failing.clear()
    reconciled.time.pass_(minutes=10)
    assert sweep(reconciled) == "purged"


def test_when_it_is_tried_again_is_shown(half_erased: Reconciled) -> None:
    shown = [half_erased.deployment(), *half_erased.owner.get("/v1/deployments").json()["items"]]
    for one in shown:
        at = datetime.fromisoformat(one["next_event_at"].replace("Z", "+00:00"))
        assert (one["phase"], one["next_event"], at) == ("purge_failed", "purge", NOW + timedelta(minutes=10))
        assert one["purge_after"] is None


# ---- databases of before


def test_a_deployment_that_was_said_to_have_failed_is_said_to_be_half_erased(half_erased: Reconciled) -> None:
    half_erased.driver.failing["migrate"] = StepFailed("no", final=True)
    half_erased.create("other")
    half_erased.reconciler.carry_out_all()
    engine = half_erased.platform.store.engine
    upgrade = importlib.import_module("tradewind_platform.store.migrations.versions.0021_purges_that_failed")
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        connection.exec_driver_sql("UPDATE deployment SET phase = 'failed' WHERE phase = 'purge_failed'")
        upgrade.upgrade()
    phases = {one["name"]: one["phase"] for one in half_erased.owner.get("/v1/deployments").json()["items"]}
    assert phases == {"sales": "purge_failed", "other": "failed"}
