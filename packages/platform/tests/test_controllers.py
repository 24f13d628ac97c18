"""The controller's protocol: a step is handed out once, done, and reported; secrets go to the Deployment's cluster only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from support.fake_driver import FakeDriver, Killed
from support.platform_parts import Reconciled, Time
from tradewind_platform.controller.controller import Controller
from tradewind_platform.controller.platform_client import PlatformClient, Unreachable
from tradewind_platform.domain.operations import Kind
from tradewind_platform.reconciler.driver import StepFailed, StepWaits
from tradewind_platform.services import cluster_work
from tradewind_platform.store.cluster_tables import ClusterDocument, ClusterTask
from tradewind_protocol.controllers import StepResult, StepTask
from tradewind_protocol.errors import Refused

New = Callable[..., Controller]


@pytest.fixture
def new_controller(reconciled: Reconciled, tmp_path: Path) -> New:
    """Processes of the controllers of two clusters, `north` and `south`."""
    for name in ("north", "south"):
        ask = {"name": name, "agents_host": "{id}.example.com", "people_domain": "{id}.example.com"}
        made = reconciled.owner.post("/v1/clusters", json=ask).json()
        (tmp_path / name).write_text(made["token"])

    def new(cluster: str = "north", driver: FakeDriver | None = None, **more: Any) -> Controller:
        transport = reconciled.owner._transport
        client = PlatformClient("http://platform.example.com", tmp_path / cluster, transport=transport)
        controller = Controller(client, driver or FakeDriver(), "fake", "1", wait_seconds=0, **more)
        controller.turn()
        return controller

    return new


def settle(reconciled: Reconciled, *controllers: Controller) -> None:
    """Let everybody work until nothing is left to do, and observe what there is."""
    work(reconciled, *controllers)
    for _ in range(2):
        reconciled.reconciler.observer.observe_all()
        for one in controllers:
            one.turn()
            one.observe_all()
    reconciled.reconciler.observer.observe_all()


def work(reconciled: Reconciled, *controllers: Controller) -> None:
    """Let everybody work until nothing is left to do."""
    for _ in range(30):
        reconciled.reconciler.carry_out_all()
        worked = [one.turn() for one in controllers]
        if not any(worked) and not unfinished(reconciled):
            break
    for one in controllers:
        one.turn()


def first_step(reconciled: Reconciled, controller: Controller) -> StepTask:
    """Of a new Deployment, as the controller of its cluster is given it."""
    reconciled.create(cluster="north")
    reconciled.reconciler.carry_out_all()
    (task,) = controller.platform.poll(controller._ask()).tasks
    return task


def unfinished(reconciled: Reconciled) -> list[Any]:
    items = reconciled.owner.get("/v1/operations").json()["items"]
    return [one for one in items if one["state"] in ("pending", "running")]


def test_scenario_24_an_idle_round_asks_for_many_deployments_of_a_cluster_what_it_asks_for_few(
    reconciled: Reconciled, new_controller: New
) -> None:
    controller = new_controller()

    def idled(names: range) -> list[str]:
        for number in names:
            reconciled.create(f"d{number}", cluster="north")
        settle(reconciled, controller)
        with reconciled.statements() as statements:
            reconciled.reconciler.observer.observe_all()
        return statements

    few = idled(range(2))
    assert idled(range(2, 7)) == few
    assert {one["health"] for one in reconciled.owner.get("/v1/deployments").json()["items"]} == {"healthy"}


def test_a_deployment_of_a_cluster_with_a_controller_lives_from_create_to_purge(
    reconciled: Reconciled, new_controller: New
) -> None:
    driver = FakeDriver()
    controller = new_controller(driver=driver)
    slug = reconciled.create(cluster="north")["slug"]
    settle(reconciled, controller)
    found = reconciled.deployment()
    assert (found["phase"], found["health"], found["health_reason"]) == ("running", "healthy", "")
    assert {"database", "api server", "route", "revision 1"} <= driver.cluster.of(slug)
    assert reconciled.driver.cluster.things == {}, "the platform's own driver has nothing to do with it"
    for verb, phase in (("delete", "deleted"), ("restore", "running"), ("delete", "deleted")):
        if verb == "delete":
            reconciled.owner.delete("/v1/deployments/sales")
        else:
            reconciled.owner.post("/v1/deployments/sales/restore")
        settle(reconciled, controller)
        assert reconciled.deployment()["phase"] == phase
    reconciled.owner.post("/v1/deployments/sales/purge", json={"name": "sales"})
    settle(reconciled, controller)
    assert driver.cluster.of(slug) == set()
    with reconciled.platform.store.reading_all() as db:
        assert not list(db.scalars(select(ClusterTask))) and not list(db.scalars(select(ClusterDocument)))


def test_what_stops_is_started_again_by_the_controller_while_the_platform_is_away(
    reconciled: Reconciled, new_controller: New, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = FakeDriver()
    controller = new_controller(driver=driver)
    slug = reconciled.create(cluster="north")["slug"]
    settle(reconciled, controller)

    def away(*_: Any, **__: Any) -> httpx.Response:
        raise httpx.ConnectError("away")

    monkeypatch.setattr(httpx.Client, "post", away)
    driver.cluster.end(slug, "api server")
    with pytest.raises(Unreachable):
        controller.turn()
    controller.observe_all()
    assert "api server" in driver.cluster.of(slug)


def test_secrets_go_to_the_cluster_of_the_deployment_only(
    reconciled: Reconciled, new_controller: New
) -> None:
    north, south = new_controller("north"), new_controller("south")
    reconciled.create(cluster="north")
    reconciled.reconciler.carry_out_all()
    assert south.platform.poll(south._ask()).tasks == ()
    (task,) = north.platform.poll(north._ask()).tasks
    assert task.document["secrets"]["fernet"]
    with pytest.raises(Refused):
        south.platform.finish(task.id, StepResult(instance=south.instance, outcome="succeeded"))
    settle(reconciled, north, south)
    assert reconciled.deployment()["health"] == "healthy"
    assert south._kept == {} and len(north._kept) == 1


def test_no_secret_of_a_document_is_in_a_table_in_clear(reconciled: Reconciled, new_controller: New) -> None:
    controller = new_controller()
    task = first_step(reconciled, controller)
    secrets = set(task.document["secrets"].values())
    settle(reconciled, controller)
    with reconciled.platform.store.reading_all() as db:
        stored = [one.document for one in db.scalars(select(ClusterDocument))]
    assert secrets and stored and not [one for one in secrets if any(one in text for text in stored)]


def test_a_step_that_another_process_does_is_handed_out_again_once_its_lease_is_over(
    reconciled: Reconciled, new_controller: New, time: Time
) -> None:
    first, second = new_controller(), new_controller()
    task = first_step(reconciled, first)
    assert second.platform.poll(second._ask()).tasks == ()
    time.pass_(seconds=61)
    (again,) = second.platform.poll(second._ask()).tasks
    assert again == task
    with pytest.raises(Refused):
        first.platform.finish(task.id, StepResult(instance=first.instance, outcome="succeeded"))
    second.platform.finish(task.id, StepResult(instance=second.instance, outcome="succeeded"))
    reconciled.reconciler.carry_out_all()
    (next_one,) = second.platform.poll(second._ask()).tasks
    assert next_one.step == FakeDriver().steps(Kind.CREATE)[1]


def test_what_a_controller_reports_is_stored_with_whatever_characters_a_program_printed(
    reconciled: Reconciled, new_controller: New
) -> None:
    controller = new_controller()
    task = first_step(reconciled, controller)
    result = StepResult(instance=controller.instance, outcome="failed", message="migrate: \x00 in line 3")
    controller.platform.finish(task.id, result)
    with reconciled.platform.store.reading_all() as db:
        (kept,) = db.scalars(select(ClusterTask).where(ClusterTask.id == task.id))
        assert kept.message == "migrate: \ufffd in line 3"


def test_a_process_keeps_the_step_that_it_names_in_each_poll(
    reconciled: Reconciled, new_controller: New, time: Time
) -> None:
    first, second = new_controller(), new_controller()
    task = first_step(reconciled, first)
    first._running.add(task.id)
    for _ in range(5):
        time.pass_(seconds=30)
        assert first.platform.poll(first._ask()).tasks == ()
        assert second.platform.poll(second._ask()).tasks == ()


def test_an_answer_that_was_lost_on_the_way_is_given_again(
    reconciled: Reconciled, new_controller: New
) -> None:
    controller = new_controller()
    reconciled.create(cluster="north")
    reconciled.reconciler.carry_out_all()
    lost = controller.platform.poll(controller._ask())
    assert controller.platform.poll(controller._ask()).tasks == lost.tasks


def test_a_platform_that_is_started_again_waits_for_the_step_that_is_done(
    reconciled: Reconciled, new_controller: New
) -> None:
    driver = FakeDriver()
    controller = new_controller(driver=driver)
    task = first_step(reconciled, controller)
    reconciled.reconciler = reconciled.new_reconciler()
    reconciled.reconciler.carry_out_all()
    controller._do(task)
    settle(reconciled, controller)
    assert reconciled.deployment()["health"] == "healthy"
    assert [thing for _, thing in driver.cluster.made].count("role") == 1


@pytest.mark.timeout(300)
def test_a_controller_that_is_killed_at_any_point_leaves_what_the_next_one_completes(
    reconciled: Reconciled, new_controller: New, time: Time
) -> None:
    points: list[str] = []
    new_controller(driver=(watched := FakeDriver(at=points.append)))
    slug = reconciled.create("watched", cluster="north")["slug"]
    settle(reconciled, new_controller(driver=watched))
    assert len(points) > 10 and watched.cluster.of(slug)
    for number, point in enumerate(points):
        left = iter(range(number, -1, -1))

        def kill(_: str, left: Any = left) -> None:
            if next(left, None) == 0:
                raise Killed

        driver = FakeDriver(at=kill)
        controller = new_controller(driver=driver)
        reconciled.create(f"d{number}", cluster="north")
        with pytest.raises(Killed):
            work(reconciled, controller)
        time.pass_(seconds=61)
        work(reconciled, new_controller(driver=FakeDriver(driver.cluster)))
        assert reconciled.deployment(f"d{number}")["phase"] == "running", point


def test_a_step_that_fails_says_why_and_one_that_waits_is_done_again(
    reconciled: Reconciled, new_controller: New, time: Time
) -> None:
    driver = FakeDriver(failing={"migrate": StepFailed("the disk is full", final=True)})
    controller = new_controller(driver=driver)
    reconciled.create(cluster="north")
    settle(reconciled, controller)
    assert reconciled.deployment()["phase"] == "failed"
    (operation,) = reconciled.owner.get("/v1/operations").json()["items"]
    assert operation["error"] == "migrate: the disk is full"
    waits: Any = StepWaits("tasks run", again=1)
    driver.failing = {"migrate": waits}
    reconciled.owner.post(f"/v1/operations/{operation['id']}/retry")
    for _ in range(8):
        reconciled.reconciler.carry_out_all()
        controller.turn()
    assert "tasks run" in str(reconciled.owner.get(f"/v1/operations/{operation['id']}").json())
    driver.failing = {}
    settle(reconciled, controller)
    assert reconciled.deployment()["health"] == "healthy"


def test_a_controller_that_is_lost_makes_the_health_unknown_and_says_so(
    reconciled: Reconciled, new_controller: New, time: Time
) -> None:
    controller = new_controller()
    reconciled.create(cluster="north")
    settle(reconciled, controller)
    time.pass_(seconds=61)
    reconciled.reconciler.observer.observe_all()
    found = reconciled.deployment()
    assert found["health"] == "unknown"
    assert "controller of the cluster north does not connect" in str(found["conditions"])
    assert reconciled.owner.get("/v1/clusters/north").json()["controller"]["state"] == "lost"
    settle(reconciled, controller)
    assert reconciled.deployment()["health"] == "healthy"


def test_an_observation_of_a_former_document_counts_for_nothing(
    reconciled: Reconciled, new_controller: New
) -> None:
    driver = FakeDriver()
    controller = new_controller(driver=driver)
    reconciled.create(cluster="north")
    settle(reconciled, controller)
    answer = reconciled.owner.patch("/v1/deployments/sales", json={"policy": "open"})
    assert answer.status_code == 200, answer.text
    controller.observe_all()
    settle(reconciled, controller)
    found = reconciled.deployment()
    assert {one["observed_revision"] for one in found["conditions"]} == {2}


def test_the_controller_says_how_its_driver_does_each_operation(
    reconciled: Reconciled, new_controller: New
) -> None:
    new_controller()
    with reconciled.platform.store.reading_all() as db:
        id = UUID(reconciled.owner.get("/v1/clusters/north").json()["id"])
        assert cluster_work.controller(db, id).steps["create"] == list(FakeDriver().steps(Kind.CREATE))
