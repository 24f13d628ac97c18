"""A Deployment sleeps when it is asked to or its schedule says so, and not before its tasks have ended (scenario 16)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from support.platform_parts import NOW, Reconciled, writes
from tradewind_platform.domain.hibernation import Override, SleepPlan, SleepSchedule
from tradewind_platform.domain.roles import Role
from tradewind_platform.reconciler.driver import StepFailed

NIGHTS = {"hibernate_at_cron": "0 19 * * *", "wake_at_cron": "0 7 * * *"}


def at(hour: int, *, day: int = 1) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=timezone.utc)


def test_a_schedule_sleeps_from_one_moment_to_the_next_of_the_other() -> None:
    plan = SleepPlan([SleepSchedule("0 19 * * *", "0 7 * * *")])
    hours = [hour for hour in range(24) if plan.sleeps(at(hour))]
    assert hours == [0, 1, 2, 3, 4, 5, 6, 19, 20, 21, 22, 23]
    assert plan.next_change(at(12)) == (True, at(19))
    assert plan.next_change(at(19)) == (False, at(7, day=2))


def test_an_override_is_stronger_until_it_ends() -> None:
    schedule = SleepSchedule("0 19 * * *", "0 7 * * *")
    plan = SleepPlan([schedule], Override(False, at(21)))
    assert not plan.sleeps(at(20)) and plan.sleeps(at(21))
    assert plan.next_change(at(20)) == (True, at(21))
    for_ever = SleepPlan([schedule], Override(True))
    assert for_ever.sleeps(at(12)) and for_ever.next_change(at(12)) is None


@pytest.mark.parametrize(
    "wrong", ["", "never", "61 * * * *", "* * * * * *"], ids=["empty", "word", "minute", "six"]
)
def test_what_is_no_cron_expression_is_refused(reconciled: Reconciled, wrong: str) -> None:
    with pytest.raises(ValueError, match="five fields"):
        SleepSchedule(wrong, "0 7 * * *")


def test_it_waits_for_its_tasks_and_then_sleeps_with_its_data(reconciled: Reconciled) -> None:
    slug = reconciled.created()["slug"]
    reconciled.driver.tasks[slug] = 1
    begun = reconciled.owner.post("/v1/deployments/sales/hibernate", json={}).json()
    reconciled.reconciler.carry_out_all()
    waits = reconciled.owner.get(f"/v1/operations/{begun['id']}").json()["steps"][1]
    assert (waits["state"], waits["message"], waits["tries"]) == ("running", "waits for a task", 0)
    assert {"api server", "scheduler", "route", "cordon"} <= reconciled.driver.cluster.of(slug)
    assert reconciled.deployment()["phase"] == "hibernating"

    del reconciled.driver.tasks[slug]
    reconciled.reconciler.carry_out_all()
    found = reconciled.deployment()
    assert (found["phase"], found["health"], found["conditions"]) == ("asleep", "asleep", [])
    left = reconciled.driver.cluster.of(slug)
    assert not left & {"api server", "scheduler", "route"} and {"closed route", "database"} <= left

    reconciled.owner.post("/v1/deployments/sales/wake", json={})
    reconciled.reconciler.carry_out_all()
    reconciled.reconciler.observer.observe_all()
    assert (reconciled.deployment()["phase"], reconciled.deployment()["health"]) == ("running", "healthy")
    assert not reconciled.driver.cluster.of(slug) & {"cordon", "closed route"}


def test_the_step_that_waits_is_asked_again_later_and_blocks_no_thread(reconciled: Reconciled) -> None:
    reconciled.driver.tasks[reconciled.created()["slug"]] = 1
    reconciled.owner.post("/v1/deployments/sales/hibernate", json={})
    reconciler = reconciled.reconciler
    reconciler.carry_out(reconciler._unfinished()[0])
    assert not list(reconciler.due(reconciled.time()))
    reconciled.time.pass_(seconds=5)
    assert list(reconciler.due(reconciled.time()))


def test_a_hibernation_that_fails_is_undone(reconciled: Reconciled) -> None:
    slug = reconciled.created()["slug"]
    reconciled.driver.failing["stop"] = StepFailed("the process cannot be ended", final=True)
    begun = reconciled.owner.post("/v1/deployments/sales/hibernate", json={}).json()
    reconciled.reconciler.carry_out_all()
    operation = reconciled.owner.get(f"/v1/operations/{begun['id']}").json()
    assert (operation["state"], operation["error"]) == ("failed", "stop: the process cannot be ended")
    assert [step["name"] for step in operation["steps"][-3:]] == ["start", "route", "uncordon"]
    assert reconciled.deployment()["phase"] == "running"
    assert not reconciled.driver.cluster.of(slug) & {"cordon", "closed route"}
    refused = reconciled.owner.post(f"/v1/operations/{begun['id']}/retry")
    assert refused.status_code == 409 and "was undone" in refused.json()["message"]


def test_a_schedule_puts_it_to_sleep_and_wakes_it(reconciled: Reconciled) -> None:
    reconciled.created()
    answer = reconciled.owner.put("/v1/deployments/sales/hibernation", json={"schedules": [NIGHTS]})
    assert answer.json()["next_event"] == "hibernate"
    assert datetime.fromisoformat(answer.json()["next_event_at"].replace("Z", "+00:00")) == at(19)
    phases = []
    for hours in (6, 1, 11, 1):  # 18:00, 19:00, 6:00, 7:00
        reconciled.time.pass_(hours=hours)
        reconciled.reconciler.observer.begin_what_is_due()
        reconciled.reconciler.carry_out_all()
        phases.append(reconciled.deployment()["phase"])
    assert phases == ["running", "asleep", "asleep", "running"]
    events = reconciled.events(action="deployment.hibernate") + reconciled.events(action="deployment.wake")
    assert [(one["actor"], one["reason"]) for one in events] == [("system", "its schedule")] * 2


def test_who_wakes_it_at_night_has_it_until_the_schedules_next_moment(reconciled: Reconciled) -> None:
    reconciled.created()
    reconciled.owner.put("/v1/deployments/sales/hibernation", json={"schedules": [NIGHTS]})
    reconciled.time.pass_(hours=8)
    reconciled.reconciler.observer.begin_what_is_due()
    reconciled.reconciler.carry_out_all()
    reconciled.owner.post("/v1/deployments/sales/wake", json={})
    reconciled.reconciler.carry_out_all()
    found = reconciled.owner.get("/v1/deployments/sales/hibernation").json()
    assert (found["override_sleeps"], found["next_event"]) == (False, "hibernate")
    reconciled.reconciler.observer.begin_what_is_due()
    assert reconciled.deployment()["phase"] == "running"
    reconciled.time.pass_(hours=23)  # 19:00 of the next day
    reconciled.reconciler.observer.begin_what_is_due()
    assert reconciled.deployment()["phase"] == "hibernating"


def test_the_list_says_what_comes_next_and_when(reconciled: Reconciled) -> None:
    reconciled.created()

    def coming() -> tuple[str, str | None]:
        reconciled.reconciler.observer.begin_what_is_due()
        reconciled.reconciler.carry_out_all()
        (found,) = reconciled.owner.get("/v1/deployments").json()["items"]
        return found["next_event"], found["next_event_at"]

    assert coming() == ("", None)
    reconciled.owner.put("/v1/deployments/sales/hibernation", json={"schedules": [NIGHTS]})
    assert coming() == ("hibernate", "2026-03-01T19:00:00Z")
    reconciled.time.pass_(hours=7)
    assert coming() == ("wake", "2026-03-02T07:00:00Z")
    reconciled.time.pass_(hours=12)
    assert coming() == ("hibernate", "2026-03-02T19:00:00Z")
    reconciled.owner.put("/v1/deployments/sales/hibernation", json={"schedules": []})
    assert coming() == ("", None)
    reconciled.owner.delete("/v1/deployments/sales")
    assert coming() == ("purge", "2026-03-16T07:00:00Z")


def test_a_sleep_of_eight_hours_ends_by_itself(reconciled: Reconciled) -> None:
    reconciled.created()
    until = (NOW + timedelta(hours=8)).isoformat()
    reconciled.owner.post("/v1/deployments/sales/hibernate", json={"until": until})
    reconciled.reconciler.carry_out_all()
    reconciled.time.pass_(hours=7)
    reconciled.reconciler.observer.begin_what_is_due()
    assert reconciled.deployment()["phase"] == "asleep"
    reconciled.time.pass_(hours=1)
    reconciled.reconciler.observer.begin_what_is_due()
    assert reconciled.deployment()["phase"] == "waking"


def test_what_failed_by_schedule_is_not_begun_again_at_once(reconciled: Reconciled) -> None:
    reconciled.created()
    reconciled.owner.put("/v1/deployments/sales/hibernation", json={"schedules": [NIGHTS]})
    reconciled.time.pass_(hours=7)
    reconciled.driver.failing["stop"] = StepFailed("no", final=True)
    for minutes, expected in ((0, 1), (1, 1), (10, 2)):
        reconciled.time.pass_(minutes=minutes)
        reconciled.reconciler.observer.begin_what_is_due()
        reconciled.reconciler.carry_out_all()
        assert len(reconciled.events(action="deployment.hibernate")) == expected


def test_a_past_moment_and_another_revision_are_refused(reconciled: Reconciled) -> None:
    reconciled.created()
    ask = {"until": (NOW - timedelta(hours=1)).isoformat()}
    assert reconciled.owner.post("/v1/deployments/sales/hibernate", json=ask).status_code == 422
    headers = {"If-Match": '"7"'}
    answer = reconciled.owner.put(
        "/v1/deployments/sales/hibernation", json={"schedules": []}, headers=headers
    )
    assert answer.status_code == 412
    assert reconciled.deployment()["phase"] == "running"


@pytest.mark.parametrize("field", ["hibernate_at_cron", "wake_at_cron"])
def test_what_is_no_cron_expression_is_refused_with_its_field(reconciled: Reconciled, field: str) -> None:
    reconciled.created()
    schedules = [NIGHTS, {**NIGHTS, field: "at midnight"}]
    answer = reconciled.owner.put("/v1/deployments/sales/hibernation", json={"schedules": schedules})
    assert answer.status_code == 422
    assert [one["where"] for one in answer.json()["detail"]["errors"]] == [f"body.schedules.1.{field}"]


@pytest.mark.parametrize(("role", "status"), [(Role.DEPLOYMENT_OPERATOR, 202), (Role.DEPLOYMENT_AUTHOR, 403)])
def test_operators_may_put_it_to_sleep_and_authors_may_not(
    reconciled: Reconciled, role: Role, status: int
) -> None:
    reconciled.created()
    caller = reconciled.with_role(role, deployment="sales")
    assert caller.post("/v1/deployments/sales/hibernate", json={}).status_code == status


def test_one_that_sleeps_until_it_is_woken_up_is_looked_at_and_nothing_is_written(
    reconciled: Reconciled,
) -> None:
    """Nothing comes for it, and nothing did for one that has slept once."""
    for name in ("sales", "ops"):
        reconciled.created(name)
        reconciled.owner.post(f"/v1/deployments/{name}/hibernate", json={})
        reconciled.reconciler.carry_out_all()
    reconciled.owner.post("/v1/deployments/ops/wake", json={})
    reconciled.reconciler.carry_out_all()
    reconciled.time.pass_(days=1)
    with reconciled.statements() as statements:
        reconciled.reconciler.observer.begin_what_is_due()
    assert statements and not writes(statements)
    assert [reconciled.deployment(name)["phase"] for name in ("sales", "ops")] == ["asleep", "running"]


def test_moments_that_came_while_the_platform_was_stopped_are_over_afterwards(reconciled: Reconciled) -> None:
    """Its phase is right again. Else they would be read for ever, and shown as what comes next."""
    reconciled.created()
    reconciled.owner.put("/v1/deployments/sales/hibernation", json={"schedules": [NIGHTS]})
    assert reconciled.deployment()["next_event_at"] == "2026-03-01T19:00:00Z"
    reconciled.time.pass_(hours=20)
    reconciled.reconciler.observer.begin_what_is_due()
    found = reconciled.deployment()
    assert (found["phase"], found["next_event_at"]) == ("running", "2026-03-02T19:00:00Z")
    with reconciled.statements() as statements:
        reconciled.reconciler.observer.begin_what_is_due()
    assert statements and not writes(statements)
