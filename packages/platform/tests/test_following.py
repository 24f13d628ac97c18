"""A Deployment that follows a minor of Airflow is upgraded by itself, in its maintenance windows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from support.platform_parts import Reconciled
from tradewind_platform.domain import following
from tradewind_platform.domain.catalogue import CANDIDATE, Offered, Release
from tradewind_platform.reconciler.driver import StepFailed

PATH = "/v1/deployments/sales/maintenance"
OFFERED = tuple(Release(one) for one in ("3.4.0", "3.3.9", "3.3.10", "3.3.2", "3.2.4"))
BEYOND = Release("3.3.11", CANDIDATE)


@pytest.fixture
def sales(reconciled: Reconciled) -> Reconciled:
    """With a Deployment of 3.3.2."""
    offered = Offered((BEYOND, *OFFERED))
    reconciled.app.state.platform = replace(reconciled.platform, offered=offered)
    reconciled.reconciler.observer.offered = offered
    reconciled.created(version="3.3.2")
    return reconciled


def change(sales: Reconciled, **fields: Any) -> dict[str, Any]:
    answer = sales.owner.patch(PATH, json=fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def turn(sales: Reconciled) -> str:
    """What begins by itself now is done. Returns the version that runs then."""
    sales.reconciler.observer.begin_what_is_due()
    sales.reconciler.carry_out_all()
    return str(sales.deployment()["version"])


@pytest.mark.parametrize(
    ("now", "minor", "expected"),
    [
        ("3.3.2", "3.3", "3.3.10"),
        ("3.3.10", "3.3", ""),
        ("3.3.11", "3.3", ""),
        ("3.2.4", "3.3", "3.3.10"),
        ("3.2.4", "3.2", ""),
        ("3.2.4", "3.4", ""),
        ("3.4.0", "3.3", ""),
        ("3.3.2", "3.9", ""),
        ("3.3.2rc1", "3.3", ""),
    ],
)
def test_the_next_version_is_the_newest_stable_one_of_the_minor(now: str, minor: str, expected: str) -> None:
    assert following.next_version(now, minor, (BEYOND, *OFFERED)) == expected


def test_it_is_upgraded_once_with_a_backup_and_the_trail_says_why(sales: Reconciled) -> None:
    assert turn(sales) == "3.3.2", "nobody has asked for it"
    assert change(sales, follows="3.3")["follows"] == "3.3"
    assert turn(sales) == "3.3.10"
    [backup] = sales.owner.get("/v1/deployments/sales/backups").json()["items"]
    assert (backup["version"], backup["state"]) == ("3.3.2", "succeeded")
    [event] = sales.events(action="deployment.upgrade")
    assert (event["reason"], event["changes"]) == ("it follows 3.3", {"version": ["3.3.2", "3.3.10"]})
    assert turn(sales) == "3.3.10"
    assert len(sales.events(action="deployment.upgrade")) == 1


def test_it_waits_for_a_maintenance_window(sales: Reconciled) -> None:
    opens = sales.time() + timedelta(hours=2)
    window = {"opens_at_cron": f"{opens.minute} {opens.hour} * * *", "minutes": 30}
    change(sales, windows=[window], follows="3.3")
    assert turn(sales) == "3.3.2"
    sales.time.pass_(hours=2, minutes=29)
    assert turn(sales) == "3.3.10"


def test_an_upgrade_that_failed_is_not_begun_again_by_itself(sales: Reconciled) -> None:
    """Else a night is filled with upgrades that are undone. Asked for anew, it is tried once more."""
    change(sales, follows="3.3")
    sales.driver.failing["look"] = StepFailed("the agent 'oslo' has 3.1", final=True)
    assert turn(sales) == "3.3.2"
    sales.driver.failing.clear()
    sales.time.pass_(days=3)
    assert turn(sales) == "3.3.2"
    assert sales.owner.get(PATH).json()["followed"] == "3.3.10"
    change(sales, follows="3.3")
    assert turn(sales) == "3.3.10"


def test_a_version_that_is_offered_later_is_begun(sales: Reconciled) -> None:
    change(sales, follows="3.3")
    assert turn(sales) == "3.3.10"
    sales.reconciler.observer.offered = Offered((Release("3.3.12"), *OFFERED))
    assert turn(sales) == "3.3.12"


def test_it_waits_while_another_operation_runs(sales: Reconciled) -> None:
    change(sales, follows="3.3")
    sales.owner.post("/v1/deployments/sales/backups", json={})
    sales.reconciler.observer.begin_what_is_due()
    assert sales.events(action="deployment.upgrade") == []
    sales.reconciler.carry_out_all()
    assert turn(sales) == "3.3.10"


def test_it_follows_no_longer(sales: Reconciled) -> None:
    change(sales, follows="3.3")
    assert change(sales, follows=None)["follows"] == ""
    assert turn(sales) == "3.3.2"
    assert sales.events(action="deployment.maintenance.update")[0]["changes"] == {"follows": ["3.3", ""]}


@pytest.mark.parametrize("wrong", ["3", "3.3.2", "newest", "3.x"])
def test_what_is_no_minor_is_refused(sales: Reconciled, wrong: str) -> None:
    answer = sales.owner.patch(PATH, json={"follows": wrong})
    assert answer.status_code == 422 and "write 3.3" in answer.json()["message"]
    assert [one["where"] for one in answer.json()["detail"]["errors"]] == ["body.follows"]
    assert sales.owner.get(PATH).json()["revision"] == 0
