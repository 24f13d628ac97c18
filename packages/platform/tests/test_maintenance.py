"""Clean-ups and backups recur, and upgrades and clean-ups begin in a maintenance window."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import select

from support.platform_parts import NOW, Reconciled, writes
from tradewind_platform.domain import maintenance
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.maintenance import Recurrence, Window
from tradewind_platform.domain.operations import Kind
from tradewind_platform.domain.roles import Role
from tradewind_platform.reconciler import timetable
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.store.life_tables import RecurringWork
from tradewind_platform.store.tables import Deployment

NIGHTLY = {"cron": "0 2 * * *", "keep_days": 30}
PATH = "/v1/deployments/sales/maintenance"


def at(hour: int, minute: int = 0, *, day: int = 1) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=timezone.utc)


def change(reconciled: Reconciled, **fields: Any) -> dict[str, Any]:
    answer = reconciled.owner.patch(PATH, json=fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def turn(reconciled: Reconciled) -> None:
    reconciled.reconciler.observer.begin_what_is_due()
    reconciled.reconciler.carry_out_all()


def operations(reconciled: Reconciled, kind: str) -> list[dict[str, Any]]:
    found = reconciled.owner.get("/v1/operations", params={"deployment": "sales"}).json()["items"]
    return [one for one in found if one["kind"] == kind]


def test_a_window_is_open_from_its_moment_for_its_minutes() -> None:
    windows = [Window("0 22 * * *", 180), Window("0 12 * * 0", 30)]  # each night, and on Sundays at noon
    opened = [hour for hour in range(24) if maintenance.is_open(windows, at(hour, day=2))]
    assert opened == [0, 22, 23]
    assert maintenance.next_opening(windows, at(13, day=7)) == at(22, day=7)
    assert maintenance.next_opening(windows, at(9, day=8)) == at(12, day=8)
    assert maintenance.next_opening(windows, at(23)) is None
    assert maintenance.is_open([], at(3)) and maintenance.next_opening([], at(3)) is None


@pytest.mark.parametrize(
    ("cron", "minutes"), [("never", 10), ("0 2 * * *", 0), ("0 2 * * *", 10081)], ids=["word", "none", "over"]
)
def test_what_is_no_window_is_refused(cron: str, minutes: int) -> None:
    with pytest.raises(ValueError, match="cron expression|minutes"):
        Window(cron, minutes)


def test_moments_that_were_missed_are_one_and_wait_for_a_window() -> None:
    recurring = Recurrence(Kind.CLEAN, "0 * * * *", at(1, 30))
    assert not recurring.is_due(at(1, 59)) and recurring.is_due(at(9))
    windows = [Window("0 22 * * *", 60)]
    assert not recurring.is_due(at(9), windows) and recurring.is_due(at(22, 5), windows)
    assert recurring.next_begin(at(9), windows) == at(22)
    assert replace(recurring, kind=Kind.BACKUP).is_due(at(9), windows)


def test_nothing_recurs_unless_it_is_asked_for(reconciled: Reconciled) -> None:
    reconciled.created()
    found = reconciled.owner.get(PATH).json()
    assert (found["windows"], found["is_open"]) == ([], True)
    assert [found[one]["is_enabled"] for one in ("clean_up", "backups")] == [False, False]
    reconciled.time.pass_(days=400)
    reconciled.reconciler.observer.begin_what_is_due()
    assert operations(reconciled, "clean") == operations(reconciled, "backup") == []


def test_a_clean_up_recurs_and_tells_what_it_deleted(reconciled: Reconciled) -> None:
    slug = reconciled.created()["slug"]
    found = change(reconciled, clean_up=NIGHTLY)
    assert found["clean_up"]["next_at"] == "2026-03-02T02:00:00Z" and found["clean_up"]["last"] is None
    for hours, count in ((13, 0), (1, 1), (1, 1), (23, 2)):
        reconciled.time.pass_(hours=hours)
        turn(reconciled)
        assert len(operations(reconciled, "clean")) == count
    assert reconciled.driver.cleaned[0] == (slug, (at(2, day=2) - timedelta(days=30)).isoformat())
    last = reconciled.owner.get(PATH).json()["clean_up"]["last"]
    assert (last["state"], last["rows"], last["rows_by_table"]) == ("succeeded", 7, {"dag_run": 3, "log": 4})
    assert (last["skipped"], last["left_out"]) == ({"dag": "kept"}, ["slow"])
    assert reconciled.deployment()["phase"] == "running"
    event = reconciled.events(action="deployment.clean")[0]
    assert (event["actor"], event["reason"]) == ("system", "its schedule")


def test_a_clean_up_that_fails_says_so_and_comes_again_at_its_next_moment(reconciled: Reconciled) -> None:
    reconciled.created()
    change(reconciled, clean_up=NIGHTLY)
    reconciled.driver.failing["clean"] = StepFailed("airflow db clean: the disk is full", final=True)
    reconciled.time.pass_(hours=14)
    turn(reconciled)
    found = reconciled.owner.get(PATH).json()["clean_up"]
    assert found["last"]["state"] == "failed" and "the disk is full" in found["last"]["error"]
    assert found["next_at"] == "2026-03-03T02:00:00Z"
    reconciled.time.pass_(hours=1)
    turn(reconciled)
    assert len(operations(reconciled, "clean")) == 1
    assert reconciled.deployment()["phase"] == "running"


def test_backups_recur_and_are_kept_as_long_as_asked(reconciled: Reconciled) -> None:
    reconciled.created()
    change(reconciled, backups={"cron": "0 * * * *", "keep_days": 1})
    for _ in range(30):
        reconciled.time.pass_(hours=1)
        turn(reconciled)
    made = reconciled.owner.get("/v1/deployments/sales/backups").json()["items"]
    assert {one["state"] for one in made} == {"succeeded"} and 24 <= len(made) <= 26
    assert set(reconciled.driver.backups) == {one["id"] for one in made}
    assert made[0]["created_by"] == "system"


def test_what_is_due_waits_for_the_operation_that_runs_and_for_a_deployment_that_sleeps(
    reconciled: Reconciled,
) -> None:
    slug = reconciled.created()["slug"]
    change(reconciled, backups=NIGHTLY)
    reconciled.driver.tasks[slug] = 1
    reconciled.owner.post("/v1/deployments/sales/hibernate", json={})
    reconciled.time.pass_(hours=15)
    turn(reconciled)
    del reconciled.driver.tasks[slug]
    turn(reconciled)
    assert operations(reconciled, "backup") == [] and reconciled.deployment()["phase"] == "asleep"
    reconciled.owner.post("/v1/deployments/sales/wake", json={})
    reconciled.reconciler.carry_out_all()
    turn(reconciled)
    assert len(operations(reconciled, "backup")) == 1


def test_a_clean_up_and_a_backup_that_are_due_at_once_come_one_after_the_other(
    reconciled: Reconciled,
) -> None:
    reconciled.created()
    change(reconciled, backups=NIGHTLY, clean_up=NIGHTLY)
    reconciled.time.pass_(hours=14)
    turn(reconciled)
    turn(reconciled)
    [backup], [clean] = operations(reconciled, "backup"), operations(reconciled, "clean")
    assert backup["created_at"] <= clean["created_at"] and backup["id"] < clean["id"]


def test_what_waits_for_a_window_or_for_an_operation_is_read_and_nothing_is_written(
    reconciled: Reconciled,
) -> None:
    """It may wait for days, and is looked at each minute."""
    reconciled.created()
    change(reconciled, windows=NIGHT, clean_up={"cron": "0 13 * * *", "keep_days": 7}, backups=NIGHTLY)
    reconciled.time.pass_(days=1, hours=4)
    reconciled.owner.post("/v1/deployments/sales/backups", json={})  # of what is due, this one waits for it
    for _ in range(2):
        with reconciled.statements() as statements:
            reconciled.reconciler.observer.begin_what_is_due()
        assert statements and not writes(statements)
        reconciled.reconciler.carry_out_all()
        turn(reconciled)  # the backup that was due
    assert len(operations(reconciled, "backup")) == 2 and operations(reconciled, "clean") == []


def test_what_fails_to_begin_keeps_no_other_deployment_waiting(
    reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin = timetable.backups.begin

    def broken(db: Any, ring: Any, row: Deployment, *rest: Any, **more: Any) -> None:
        if row.name == "sales":
            raise ValueError("a fault")
        begin(db, ring, row, *rest, **more)

    for name in ("sales", "ops"):
        reconciled.created(name)
        reconciled.owner.patch(f"/v1/deployments/{name}/maintenance", json={"backups": NIGHTLY})
    monkeypatch.setattr(timetable.backups, "begin", broken)
    reconciled.time.pass_(hours=15)
    turn(reconciled)
    assert "were not started" in caplog.text
    assert [one["deployment_name"] for one in all_backups(reconciled)] == ["ops"]
    monkeypatch.undo()
    turn(reconciled)
    assert [one["deployment_name"] for one in all_backups(reconciled)] == ["sales", "ops"]


def all_backups(reconciled: Reconciled) -> list[dict[str, Any]]:
    """The operations, the newest first."""
    found = reconciled.owner.get("/v1/operations").json()["items"]
    return [one for one in found if one["kind"] == "backup"]


def test_a_schedule_goes_on_where_a_reconciler_that_was_killed_left_it(reconciled: Reconciled) -> None:
    reconciled.created()
    change(reconciled, clean_up=NIGHTLY)
    reconciled.time.pass_(hours=14)
    reconciled.reconciler.observer.begin_what_is_due()
    another = reconciled.new_reconciler()
    another.observer.begin_what_is_due()
    another.carry_out_all()
    [one] = operations(reconciled, "clean")
    assert one["state"] == "succeeded"


# ---- maintenance windows


NIGHT = [{"opens_at_cron": "0 22 * * *", "minutes": 120}]


def test_a_clean_up_by_hand_outside_the_windows_says_so_and_begins_with_now(reconciled: Reconciled) -> None:
    reconciled.created()
    found = change(reconciled, windows=NIGHT)
    assert (found["is_open"], found["opens_at"]) == (False, "2026-03-01T22:00:00Z")
    refused = reconciled.owner.post("/v1/deployments/sales/clean-up", json={})
    assert refused.status_code == 409 and "opens at 2026-03-01 22:00 UTC" in refused.json()["remedy"]
    assert "--now" in refused.json()["remedy"]
    assert reconciled.owner.post("/v1/deployments/sales/clean-up", json={"now": True}).status_code == 202
    reconciled.reconciler.carry_out_all()
    reconciled.time.pass_(hours=10)
    assert reconciled.owner.post("/v1/deployments/sales/clean-up", json={}).status_code == 202


def test_an_upgrade_begins_in_a_window_and_a_dry_run_at_any_time(reconciled: Reconciled) -> None:
    reconciled.app.state.platform = replace(
        reconciled.platform, offered=Offered((Release("3.3.2"), Release("3.3.0")))
    )
    reconciled.created(version="3.3.0")
    change(reconciled, windows=NIGHT)
    path = "/v1/deployments/sales/upgrade"
    assert reconciled.owner.post(path, json={"version": "3.3.2", "dry_run": True}).status_code == 202
    reconciled.reconciler.carry_out_all()
    assert reconciled.owner.post(path, json={"version": "3.3.2"}).status_code == 409
    assert reconciled.deployment()["version"] == "3.3.0" and reconciled.deployment()["revision"] == 1
    assert reconciled.owner.post(path, json={"version": "3.3.2", "now": True}).status_code == 202


def test_a_clean_up_that_is_due_outside_the_windows_begins_when_one_opens(reconciled: Reconciled) -> None:
    reconciled.created()
    change(reconciled, windows=NIGHT, clean_up={"cron": "0 13 * * *", "keep_days": 7})
    for hours, count in ((2, 0), (7, 0), (1, 1), (1, 1)):  # 14:00, 21:00, 22:00, 23:00
        reconciled.time.pass_(hours=hours)
        turn(reconciled)
        assert len(operations(reconciled, "clean")) == count


# ---- changes


def test_a_change_of_one_thing_keeps_the_others_and_is_in_the_audit_trail(reconciled: Reconciled) -> None:
    reconciled.created()
    change(reconciled, windows=NIGHT, clean_up=NIGHTLY)
    found = change(reconciled, backups=NIGHTLY)
    assert found["windows"] == NIGHT and found["clean_up"]["is_enabled"] and found["revision"] == 2
    off = change(reconciled, clean_up=None)
    assert (off["clean_up"]["is_enabled"], off["clean_up"]["next_at"]) == (False, None)
    event = reconciled.events(action="deployment.maintenance.update")[0]
    assert event["changes"] == {"clean_up": [{**NIGHTLY, "is_enabled": True}, None]}


def test_another_revision_and_what_is_no_cron_expression_are_refused(reconciled: Reconciled) -> None:
    reconciled.created()
    headers = {"If-Match": '"7"'}
    assert reconciled.owner.patch(PATH, json={"windows": []}, headers=headers).status_code == 412
    for where, wrong in (
        ("body.clean_up.cron", {"clean_up": {**NIGHTLY, "cron": "at midnight"}}),
        ("body.windows.1.opens_at_cron", {"windows": [*NIGHT, {**NIGHT[0], "opens_at_cron": "61 * * * *"}]}),
    ):
        answer = reconciled.owner.patch(PATH, json=wrong)
        assert answer.status_code == 422 and "cron expression" in answer.json()["message"]
        assert [one["where"] for one in answer.json()["detail"]["errors"]] == [where]
    assert reconciled.owner.get(PATH).json()["revision"] == 0


@pytest.mark.parametrize(("role", "status"), [(Role.DEPLOYMENT_ADMIN, 200), (Role.DEPLOYMENT_OPERATOR, 403)])
def test_admins_change_maintenance_and_operators_read_it(
    reconciled: Reconciled, role: Role, status: int
) -> None:
    reconciled.created()
    caller = reconciled.with_role(role, deployment="sales")
    assert caller.get(PATH).status_code == 200
    assert caller.patch(PATH, json={"clean_up": NIGHTLY}).status_code == status
    assert NOW == reconciled.time.now


def test_work_of_before_its_due_moment_was_written_down_begins_when_it_is_due(reconciled: Reconciled) -> None:
    reconciled.created()
    change(reconciled, backups={"cron": "0 3 * * *", "keep_days": 7})
    with reconciled.platform.store.across_organizations() as db:
        db.scalars(select(RecurringWork)).one().due_at = None
    turn(reconciled)
    assert operations(reconciled, "backup") == []
    with reconciled.platform.store.reading_all() as db:
        assert db.scalars(select(RecurringWork)).one().due_at > reconciled.time()
    reconciled.time.pass_(days=1)
    turn(reconciled)
    assert len(operations(reconciled, "backup")) == 1
