"""A failed operation that is begun again: where it goes on, and with which options and variables."""

from __future__ import annotations

from typing import Any

import pytest

from support.fake_driver import FakeDriver
from support.platform_parts import Reconciled
from tradewind_platform.domain.operations import CONFIGURE, Kind
from tradewind_platform.kubernetes import driver as kubernetes
from tradewind_platform.local import driver as local
from tradewind_platform.reconciler.driver import StepFailed

SALES = "/v1/deployments/sales"


def fail_to_create(reconciled: Reconciled, step: str = "migrate") -> str:
    """Create a Deployment, in vain. Returns the operation; what made it fail is gone."""
    reconciled.driver.failing[step] = StepFailed("no", final=True)
    made = reconciled.create()
    reconciled.reconciler.carry_out_all()
    reconciled.driver.failing.clear()
    assert reconciled.deployment()["phase"] == "failed"
    reconciled.time.pass_(minutes=1)
    return str(made["operation"])


def set_variable(reconciled: Reconciled, scope: str, value: str) -> None:
    answer = reconciled.owner.put(f"/v1/{scope}/variables/REGION", json={"value": value})
    assert answer.status_code == 200, answer.text
    reconciled.time.pass_(minutes=1)


def retry(reconciled: Reconciled, operation: str) -> dict[str, Any]:
    """The operation once it has ended."""
    asked = reconciled.owner.post(f"/v1/operations/{operation}/retry")
    assert asked.status_code == 202, asked.text
    reconciled.reconciler.carry_out_all()
    found: dict[str, Any] = reconciled.owner.get(f"/v1/operations/{operation}").json()
    assert found["state"] == "succeeded", found
    return found


def shown(reconciled: Reconciled) -> tuple[str, bool]:
    """The value of the variable, and whether it is said to be applied."""
    [one] = reconciled.owner.get(f"{SALES}/variables").json()["items"]
    return one["value"], one["applied"]


def given(reconciled: Reconciled) -> dict[str, str]:
    """The environment of its processes."""
    return dict(reconciled.driver.given[reconciled.deployment()["slug"]].environment)


def test_it_goes_on_with_the_step_that_failed(reconciled: Reconciled) -> None:
    began = reconciled.time().isoformat().replace("+00:00", "Z")
    steps = {one["name"]: one for one in retry(reconciled, fail_to_create(reconciled))["steps"]}
    assert [steps[name]["started_at"] == began for name in ("database", "configure", "migrate")] == [
        True,
        True,
        False,
    ]
    found = reconciled.deployment()
    assert (found["phase"], found["revision"], found["observed_revision"]) == ("running", 1, 1)


@pytest.mark.parametrize("step", ["database", "configure", "migrate", "start", "route"])
def test_a_value_that_was_corrected_reaches_the_processes_and_is_applied(
    reconciled: Reconciled, step: str
) -> None:
    set_variable(reconciled, "workspaces/default", "wrong")
    operation = fail_to_create(reconciled, step)
    set_variable(reconciled, "workspaces/default", "right")
    assert shown(reconciled) == ("right", False)
    steps = {one["name"]: one for one in retry(reconciled, operation)["steps"]}
    assert steps["configure"]["started_at"] >= steps["database"]["started_at"]
    assert (given(reconciled), shown(reconciled)) == ({"REGION": "right"}, ("right", True))
    found = reconciled.deployment()
    assert found["revision"] == found["observed_revision"]


def test_processes_that_were_started_with_a_former_value_are_started_anew(reconciled: Reconciled) -> None:
    """A driver leaves one alone that runs at the revision of the operation."""
    operation = fail_to_create(reconciled, "route")
    assert reconciled.driver.given[reconciled.deployment()["slug"]].revision == 1
    set_variable(reconciled, "deployments/sales", "eu")
    retry(reconciled, operation)
    assert reconciled.driver.given[reconciled.deployment()["slug"]].revision == 2
    assert reconciled.deployment()["observed_revision"] == 2


def test_after_a_move_it_has_the_settings_of_its_new_workspace_and_nothing_waits(
    reconciled: Reconciled,
) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    set_variable(reconciled, "workspaces/default", "eu")
    set_variable(reconciled, "workspaces/lab", "us")
    operation = fail_to_create(reconciled)
    assert reconciled.owner.post(f"{SALES}/move", json={"workspace": "lab"}).status_code == 200
    reconciled.time.pass_(minutes=1)
    retry(reconciled, operation)
    assert (given(reconciled), shown(reconciled)) == ({"REGION": "us"}, ("us", True))
    found = reconciled.deployment()
    assert (found["revision"], found["observed_revision"]) == (2, 2)


@pytest.mark.parametrize("change", ["move", "description"])
def test_a_revision_that_no_operation_applies_is_the_one_that_runs_after_a_retry(
    reconciled: Reconciled, change: str
) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    operation = fail_to_create(reconciled)
    if change == "move":
        answer = reconciled.owner.post(f"{SALES}/move", json={"workspace": "lab"})
    else:
        answer = reconciled.owner.patch(SALES, json={"description": "EU"})
    assert (answer.json()["revision"], answer.json()["observed_revision"]) == (2, 0)
    retry(reconciled, operation)
    found = reconciled.deployment()
    assert (found["revision"], found["observed_revision"]) == (2, 2)


def test_a_value_that_was_set_while_processes_were_started_is_not_said_to_be_applied(
    reconciled: Reconciled,
) -> None:
    """The configuration was made before; only a part of the processes has it."""

    def at(point: str) -> None:
        if point == "before start":
            reconciled.time.pass_(minutes=1)
            set_variable(reconciled, "deployments/sales", "eu")

    reconciled.driver.at = at
    reconciled.created()
    assert shown(reconciled) == ("eu", False)


def test_an_operation_that_starts_nothing_stays_what_it_was(reconciled: Reconciled) -> None:
    reconciled.created()
    reconciled.driver.failing["stop"] = StepFailed("no", final=True)
    deleted = reconciled.owner.delete(SALES).json()["id"]
    reconciled.reconciler.carry_out_all()
    reconciled.driver.failing.clear()
    reconciled.time.pass_(minutes=1)
    set_variable(reconciled, "deployments/sales", "eu")
    retry(reconciled, deleted)
    found = reconciled.deployment()
    assert (found["phase"], found["revision"]) == ("deleted", 1)


@pytest.mark.parametrize(
    "steps",
    [FakeDriver().steps, local._STEPS.__getitem__, kubernetes._STEPS.__getitem__],
    ids=["fake", "local", "kubernetes"],
)
def test_each_driver_gives_settings_in_the_step_of_that_name_before_it_starts_anything(steps: Any) -> None:
    for kind in Kind:
        names = list(steps(kind))
        starts = [at for at, name in enumerate(names) if name.startswith("start")]
        assert (CONFIGURE in names) is kind.applies, kind
        if kind.applies:
            assert names.count(CONFIGURE) == 1 and names.index(CONFIGURE) < min(starts), kind
