"""Many Deployments cost the platform what few do, as long as nothing changes (scenario 24). Queries are counted, not time;
`benchmarks/many_deployments.py` measures 500."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from support.platform_parts import Reconciled, writes
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.health import Condition
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.reconciler.driver import Document
from tradewind_platform.reconciler.reconciler import UNFINISHED
from tradewind_platform.reconciler.running import RunningDeployments
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.sessions import open_engine

FEW, MANY = 2, 9


def create(one: Reconciled, numbers: range) -> None:
    for number in numbers:
        one.create(f"d{number}")
    one.reconciler.carry_out_all()
    one.reconciler.observer.observe_all()
    for number in numbers:
        nightly = {"cron": f"{number} 3 * * *", "keep_days": 7}
        night = {"hibernate_at_cron": "0 22 * * *", "wake_at_cron": "0 6 * * *"}
        asked = (
            ("PATCH", "maintenance", {"backups": nightly}),
            ("PUT", "hibernation", {"schedules": [night]}),
        )
        for method, path, body in asked:
            answer = one.owner.request(method, f"/v1/deployments/d{number}/{path}", json=body)
            assert answer.status_code == 200, answer.text


def test_scenario_24_a_list_of_many_takes_as_many_queries_as_one_of_few(reconciled: Reconciled) -> None:
    def asked() -> tuple[int, int]:
        with reconciled.statements() as statements:
            found = reconciled.owner.get("/v1/deployments", params={"limit": 1000}).json()
        return found["total"], len(statements)

    create(reconciled, range(FEW))
    asked()  # the first request of a caller notes that its token was used
    few = asked()
    create(reconciled, range(FEW, MANY))
    assert (few[0], asked()) == (FEW, (MANY, few[1]))


def test_scenario_24_an_idle_platform_asks_for_many_what_it_asks_for_few_and_writes_nothing(
    reconciled: Reconciled,
) -> None:
    def idled() -> list[str]:
        with reconciled.statements() as statements:
            reconciled.reconciler.observer.observe_all()
            reconciled.reconciler.observer.begin_what_is_due()
        return statements

    create(reconciled, range(FEW))
    few = idled()
    create(reconciled, range(FEW, MANY))
    assert idled() == few
    assert not writes(few)


def test_many_that_follow_a_minor_are_looked_at_in_as_many_queries_as_few_and_nothing_is_written(
    reconciled: Reconciled,
) -> None:
    """There is always one of which it has to be read whether something newer is offered."""
    offered = Offered((Release("3.3.3"), Release("3.3.2")))
    reconciled.app.state.platform = replace(reconciled.platform, offered=offered)
    reconciled.reconciler.observer.offered = offered

    def idled(numbers: range) -> list[str]:
        for number in numbers:
            reconciled.create(f"d{number}", version=f"3.3.{3 - number % 2}")
        reconciled.reconciler.carry_out_all()
        closed = [{"opens_at_cron": "0 3 * * *", "minutes": 30}]  # of those that are to be upgraded
        for number in numbers:
            asked = {"follows": "3.3", "windows": closed if number % 2 else []}
            answer = reconciled.owner.patch(f"/v1/deployments/d{number}/maintenance", json=asked)
            assert answer.status_code == 200, answer.text
        with reconciled.statements() as statements:
            reconciled.reconciler.observer.begin_what_is_due()
        return statements

    few = idled(range(FEW))
    assert idled(range(FEW, MANY)) == few
    assert not writes(few)


def test_schedules_are_asked_for_once_a_minute(reconciled: Reconciled) -> None:
    """They say whole minutes, and so a moment that has come waits for the next round only."""
    observer = reconciled.reconciler.observer
    asked = []
    for _ in range(24):
        with reconciled.statements() as statements:
            observer.work()
        asked.append(any("recurring_work" in one for one in statements))
        reconciled.time.pass_(seconds=5)
    assert asked == [True, *[False] * 11] * 2


def test_access_is_read_anew_in_as_many_queries_for_many_people_as_for_few(reconciled: Reconciled) -> None:
    sales = UUID(reconciled.created()["id"])
    documents = reconciled.platform.access_documents

    def read(names: range) -> tuple[int, int]:
        for number in names:
            reconciled.user(f"person-{number}", Binding(Role.ORGANIZATION_AUDITOR, ORGANIZATION))
        with reconciled.statements() as statements:
            document = documents.of(reconciled.organization, sales)
        return len(document.users), len(statements)

    people, queries = read(range(2))
    assert read(range(2, 9)) == (people + 7, queries)


def test_a_page_of_a_list_is_a_part_of_it(reconciled: Reconciled) -> None:
    create(reconciled, range(5))
    found = reconciled.owner.get("/v1/deployments", params={"limit": 2, "offset": 3}).json()
    assert [one["name"] for one in found["items"]] == ["d3", "d4"]
    assert (found["total"], found["limit"], found["offset"]) == (5, 2, 3)


def test_where_nothing_has_changed_the_marks_say_so_and_nothing_else_is_read(reconciled: Reconciled) -> None:
    create(reconciled, range(FEW))
    kept = RunningDeployments(reconciled.platform.store, reconciled.platform.ring)
    before = kept.read()
    with reconciled.statements() as statements:
        assert kept.read() is before
    assert statements == [], "the marks are read by the database's driver"


def test_one_that_changed_is_read_anew_and_no_other(reconciled: Reconciled) -> None:
    create(reconciled, range(FEW))
    kept = RunningDeployments(reconciled.platform.store, reconciled.platform.ring)
    before = {one.document.name: one.document for one in kept.read()}
    reconciled.owner.put("/v1/deployments/d0/variables/EDITOR", json={"value": "vi"})
    after = {one.document.name: one.document for one in kept.read()}
    assert after["d0"].environment == {"EDITOR": "vi"}
    assert after["d1"] is before["d1"]


def _variable(scope: str, value: str) -> Callable[[Reconciled], Any]:
    return lambda one: one.owner.put(f"/v1/{scope}/variables/EDITOR", json={"value": value})


def _option(scope: str, value: str) -> Callable[[Reconciled], Any]:
    return lambda one: one.owner.put(
        f"/v1/{scope}/configuration/scheduler.max_tis_per_query", json={"value": value}
    )


def _replaced(one: Reconciled) -> Any:
    """As many rows as before, of the same revisions."""
    one.owner.delete("/v1/deployments/d0/variables/EDITOR")
    return one.owner.put("/v1/deployments/d0/variables/PAGER", json={"value": "less"})


def _updated(one: Reconciled) -> Any:
    answer = one.owner.patch("/v1/deployments/d0", json={"policy": "strict, lab=open"})
    one.reconciler.carry_out_all()
    return answer


def _moved(one: Reconciled) -> Any:
    one.owner.post("/v1/workspaces", json={"name": "lab"})
    one.owner.put("/v1/workspaces/lab/variables/COLOUR", json={"value": "blue"})
    return one.owner.post("/v1/deployments/d0/move", json={"workspace": "lab"})


CHANGES: dict[str, Callable[[Reconciled], Any]] = {
    "a variable of the cluster": _variable("clusters/local", "vi"),
    "an option of the cluster": _option("clusters/local", "16"),
    "an option of the workspace": _option("workspaces/default", "32"),
    "an option of the Deployment": _option("deployments/d0", "64"),
    "another value": _option("deployments/d0", "65"),
    "a variable of the Deployment": _variable("deployments/d0", "ed"),
    "another variable in its place": _replaced,
    "an option that is taken away": lambda one: one.owner.delete(
        "/v1/workspaces/default/configuration/scheduler.max_tis_per_query"
    ),
    "a new specification": _updated,
    "another workspace": _moved,
    "nothing of the workspace any longer": lambda one: one.owner.delete(
        "/v1/deployments/d0/configuration/scheduler.max_tis_per_query"
    ),
}


def test_after_each_change_the_documents_are_as_if_they_were_made_anew(reconciled: Reconciled) -> None:
    create(reconciled, range(FEW))
    store, ring = reconciled.platform.store, reconciled.platform.ring
    kept = RunningDeployments(store, ring)
    before = [one.document for one in kept.read()]
    for what, change in CHANGES.items():
        answer = change(reconciled)
        assert answer.status_code < 300, (what, answer.text)
        found = [one.document for one in kept.read()]
        assert found == [one.document for one in RunningDeployments(store, ring).read()], what
        assert found != before, what
        before = found


def test_what_an_operation_stopped_since_it_was_read_is_not_started_again(
    reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(reconciled, range(FEW))
    looked: list[str] = []
    observe = reconciled.driver.observe

    def while_the_first_is_observed(document: Document) -> Any:
        if not looked:
            reconciled.owner.delete("/v1/deployments/d1")
            reconciled.reconciler.carry_out_all()
        looked.append(document.name)
        return observe(document)

    monkeypatch.setattr(reconciled.driver, "observe", while_the_first_is_observed)
    reconciled.reconciler.observer.observe_all()
    assert looked == ["d0"]
    stopped = reconciled.driver.cluster.of(reconciled.deployment("d1")["slug"])
    assert not {"api server", "scheduler"} & stopped


def test_where_observing_takes_long_the_rest_is_read_again(
    reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(reconciled, range(3))
    looked: list[tuple[str, dict[str, str]]] = []

    def slowly(document: Document) -> list[Condition]:
        looked.append((document.name, dict(document.environment)))
        if len(looked) == 1:
            reconciled.owner.put("/v1/deployments/d1/variables/EDITOR", json={"value": "vi"})
        reconciled.time.pass_(seconds=30)
        return []

    monkeypatch.setattr(reconciled.driver, "observe", slowly)
    reconciled.reconciler.observer.observe_all()
    assert looked == [("d0", {}), ("d1", {"EDITOR": "vi"}), ("d2", {})]


def test_where_reading_takes_long_all_are_observed_of_one_reading(
    reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(reconciled, range(3))
    looked: list[str] = []
    reads: list[object] = []
    observe, read = reconciled.driver.observe, RunningDeployments.read

    def slowly(self: RunningDeployments) -> Any:
        reads.append(self)
        assert len(reads) < 5, "it reads, and observes nothing"
        found = read(self)
        reconciled.time.pass_(seconds=30)
        return found

    monkeypatch.setattr(RunningDeployments, "read", slowly)
    monkeypatch.setattr(reconciled.driver, "observe", lambda one: looked.append(one.name) or observe(one))
    reconciled.reconciler.observer.observe_all()
    assert (looked, len(reads)) == (["d0", "d1", "d2"], 1)


def test_operations_that_have_ended_are_not_read_to_find_those_that_have_not(tmp_path: Path) -> None:
    """On SQLite, which is the one that would."""
    engine = open_engine(f"sqlite:///{tmp_path}/platform.db")
    migrate(engine)
    asked = UNFINISHED.compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as db:
        plan = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}").fetchall()
    engine.dispose()
    assert [row[-1].split(" USING")[0] for row in plan] == ["SEARCH operation"]
