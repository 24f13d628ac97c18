"""Values that secrets had: masked in logs of before, kept encrypted for that, and erased afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text

from support.platform_parts import Reconciled, writes
from tradewind_platform.domain.component_logs import MOST_FORMER, Component
from tradewind_platform.domain.health import Condition, ConditionType, Status
from tradewind_platform.domain.roles import Role
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.store.life_tables import FormerSecret

CANARY = "canary-7f3a-former"
OTHER = "canary-22c1-present"
SCOPES = ("clusters/local", "workspaces/default", "deployments/sales")


@pytest.fixture
def sales(reconciled: Reconciled) -> Reconciled:
    """With a Deployment whose log has the value of a secret."""
    slug = reconciled.created()["slug"]
    reconciled.driver.write(slug, Component.SCHEDULER, f"signed in with {CANARY}")
    return reconciled


def put(reconciled: Reconciled, value: str, scope: str = "deployments/sales", **more: Any) -> None:
    asked = {"value": value, "is_secret": True, **more}
    answer = reconciled.owner.put(f"/v1/{scope}/variables/API_KEY", json=asked)
    assert answer.status_code == 200, answer.text


def shown(reconciled: Reconciled) -> list[str]:
    lines: list[str] = reconciled.owner.get("/v1/deployments/sales/logs/scheduler").json()["lines"]
    return lines


def kept(reconciled: Reconciled) -> list[FormerSecret]:
    with reconciled.platform.store.reading(reconciled.organization) as db:
        return list(db.scalars(select(FormerSecret)))


WAYS: dict[str, Callable[[Reconciled, str], Any]] = {
    "replaced": lambda one, scope: put(one, OTHER, scope),
    "replaced twice": lambda one, scope: [put(one, f"{OTHER}-{n}", scope) for n in (1, 2)],
    "replaced by one that is no secret": lambda one, scope: put(one, "eu-north", scope, is_secret=False),
    "replaced with others": lambda one, scope: one.owner.patch(
        f"/v1/{scope}/variables",
        json={"variables": [{"name": "API_KEY", "value": OTHER, "is_secret": True}]},
    ),
    "removed": lambda one, scope: one.owner.delete(f"/v1/{scope}/variables/API_KEY"),
}


@pytest.mark.parametrize("scope", SCOPES, ids=[one.partition("/")[0] for one in SCOPES])
@pytest.mark.parametrize("way", list(WAYS), ids=list(WAYS))
def test_a_value_that_a_secret_had_is_masked_in_lines_of_before(
    sales: Reconciled, scope: str, way: str
) -> None:
    put(sales, CANARY, scope)
    WAYS[way](sales, scope)
    assert shown(sales) == ["signed in with ***"]


def test_a_value_that_an_inner_layer_overrides_is_masked(sales: Reconciled) -> None:
    """Its processes had it before."""
    put(sales, CANARY, "workspaces/default")
    put(sales, OTHER)
    assert shown(sales) == ["signed in with ***"]


def test_a_former_value_of_the_workspace_that_it_has_left_is_masked(sales: Reconciled) -> None:
    sales.owner.post("/v1/workspaces", json={"name": "lab"})
    put(sales, CANARY, "workspaces/default")
    assert sales.owner.post("/v1/deployments/sales/move", json={"workspace": "lab"}).status_code == 200
    put(sales, OTHER, "workspaces/default")
    assert shown(sales) == ["signed in with ***"]


@pytest.mark.parametrize("plain", [True, False], ids=["no secret", "the same value again"])
def test_what_is_no_secret_and_what_stays_is_not_kept(sales: Reconciled, plain: bool) -> None:
    put(sales, CANARY, is_secret=not plain)
    put(sales, OTHER if plain else CANARY)
    assert kept(sales) == []


def test_it_is_kept_encrypted_and_under_no_name_that_anybody_reads(sales: Reconciled) -> None:
    put(sales, CANARY)
    put(sales, OTHER)
    with sales.platform.store.across_organizations() as db:
        everything = [tuple(row) for row in db.execute(text("SELECT * FROM former_secret"))]
    assert len(everything) == 1 and CANARY not in repr(everything)
    assert CANARY not in sales.owner.get("/v1/audit").text
    assert CANARY not in sales.owner.get("/v1/deployments/sales/variables").text


# ---- erased


def sweep(reconciled: Reconciled) -> list[str]:
    """What is sent to the database, when a minute begins."""
    with reconciled.statements() as sent:
        reconciled.reconciler.observer.begin_what_is_due()
    return sent


def test_it_is_erased_after_thirty_days_and_nothing_is_written_before_or_after(sales: Reconciled) -> None:
    put(sales, CANARY)
    put(sales, OTHER)
    sales.time.pass_(days=30, seconds=-1)
    assert not writes(sweep(sales)) and len(kept(sales)) == 1
    sales.time.pass_(seconds=1)
    sweep(sales)
    assert kept(sales) == []
    assert not writes(sweep(sales))


def test_it_is_erased_with_the_deployment(sales: Reconciled) -> None:
    put(sales, CANARY)
    put(sales, OTHER)
    sales.owner.delete("/v1/deployments/sales")
    sales.reconciler.carry_out_all()
    sales.owner.post("/v1/deployments/sales/purge", json={"name": "sales"})
    sales.reconciler.carry_out_all()
    assert kept(sales) == []


def test_of_one_variable_so_many_are_kept_and_the_newest(sales: Reconciled) -> None:
    """A script that rotates each minute would make every look at a log slow."""
    for number in range(MOST_FORMER + 3):
        put(sales, f"{CANARY}-{number}")
    rows = kept(sales)
    assert len(rows) == MOST_FORMER
    slug = sales.deployment()["slug"]
    sales.driver.write(slug, Component.SCHEDULER, f"then with {CANARY}-{MOST_FORMER + 1}.")
    assert shown(sales)[-1] == "then with ***."


# ---- what people are shown who may not read logs


def test_a_failed_step_and_the_health_of_a_deployment_tell_no_secret(
    sales: Reconciled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A driver puts the last lines of a program there."""
    put(sales, CANARY)
    put(sales, OTHER)
    said = f"The API server ends again and again. Its last lines: {CANARY} | {OTHER}"
    sales.driver.failing["start"] = StepFailed(said, final=True)
    operation = sales.owner.post("/v1/deployments/sales/apply").json()["id"]
    sales.reconciler.carry_out_all()
    wrong = Condition(ConditionType.API_SERVER_READY, Status.FALSE, "NoAnswer", said, f"Look for {OTHER}.")
    monkeypatch.setattr(sales.driver, "observe", lambda document: [wrong])
    sales.reconciler.observer.observe_all()
    viewer = sales.with_role(Role.WORKSPACE_VIEWER, workspace="default")
    found = viewer.get(f"/v1/operations/{operation}")
    assert found.json()["error"].endswith("Its last lines: *** | ***"), found.text
    health = viewer.get("/v1/deployments/sales")
    assert health.json()["health_reason"].endswith("Its last lines: *** | ***"), health.text
    for seen in (found.text, health.text, caplog.text):
        assert CANARY not in seen and OTHER not in seen
