"""Code of a Deployment's own: sent, deployed, listed, rolled back, and refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from support import plane_archive
from support.fake_driver import FakeDriver
from support.platform_parts import Reconciled
from tradewind_platform.controller.controller import Controller
from tradewind_platform.controller.platform_client import PlatformClient
from tradewind_platform.domain import deploys as rules
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.operations import Kind
from tradewind_platform.domain.roles import Role
from tradewind_platform.reconciler import endings
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.services import cluster_work
from tradewind_platform.store.tables import Deployment, Operation
from tradewind_protocol import plane_archives

ONE, TWO = plane_archive.made("ONE = 1\n"), plane_archive.made("TWO = 2\n")
IMAGE = "registry.example.com/team/shop-plane@sha256:" + "a" * 64


@pytest.fixture
def sales(reconciled: Reconciled) -> Reconciled:
    offered = Offered((Release("3.3.2"), Release("3.2.4")))
    reconciled.app.state.platform = replace(reconciled.platform, offered=offered)
    reconciled.created()
    return reconciled


def send(sales: Reconciled, archive: tuple[str, bytes], caller: Any = None) -> Any:
    path = f"/v1/deployments/sales/archives/{archive[0]}"
    return (caller or sales.owner).put(path, content=archive[1])


def ask(sales: Reconciled, path: str = "", **body: Any) -> Any:
    return sales.owner.post(f"/v1/deployments/sales/deploys{path}", json=body)


def done(sales: Reconciled, answer: Any) -> dict[str, Any]:
    assert answer.status_code == 202, answer.text
    sales.reconciler.carry_out_all()
    found: dict[str, Any] = sales.owner.get(f"/v1/operations/{answer.json()['id']}").json()
    return found


def deployed(sales: Reconciled, archive: tuple[str, bytes], **more: Any) -> dict[str, Any]:
    assert send(sales, archive).status_code == 200
    return done(sales, ask(sales, digest=archive[0], **more))


def history(sales: Reconciled) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sales.owner.get("/v1/deployments/sales/deploys").json()["items"]
    return found


def digest_that_runs(sales: Reconciled) -> str:
    """By the document that the driver has had last."""
    return rules.code_of(sales.driver.given[sales.deployment()["slug"]].spec).digest


def test_a_deploy_is_an_operation_and_a_line_of_the_history(sales: Reconciled) -> None:
    git = {"commit": "0123abcd", "branch": "main", "repository": "https://example.com/shop", "is_dirty": True}
    operation = deployed(sales, ONE, description="the first", git=git)
    assert (operation["kind"], operation["state"]) == ("deploy", "succeeded")
    [line] = history(sales)
    assert (line["status"], line["is_current"], line["digest"]) == ("DEPLOYED", True, ONE[0])
    assert (line["airflow"], line["description"], line["git"]) == ("3.3.2", "the first", git)
    assert (line["created_by"], line["operation"]) == ("token:ada", operation["id"])
    assert digest_that_runs(sales) == ONE[0]
    event = sales.events(action="deploy.create")[0]
    assert event["changes"]["code"] == ["", ONE[0]]


def test_a_deploy_is_initialized_until_its_operation_has_ended(sales: Reconciled) -> None:
    send(sales, ONE)
    ask(sales, digest=ONE[0])
    [line] = history(sales)
    assert (line["status"], line["is_current"]) == ("INITIALIZED", False)


@pytest.mark.parametrize("step", ["fetch", "check_code", "configure", "start"])
def test_a_deploy_that_fails_is_undone_and_what_ran_before_runs_again(sales: Reconciled, step: str) -> None:
    deployed(sales, ONE)
    sales.driver.failing[step] = StepFailed("no room", final=True)
    sales.driver.at = lambda point: sales.driver.failing.clear() if point == "before route" else None
    if step == "start":
        sales.driver.at = lambda point: sales.driver.failing.clear() if point == "before stop" else None
    failed = deployed(sales, TWO)
    assert failed["state"] == "failed" and failed["error"].startswith(f"{step}: no room")
    sales.reconciler.observer.observe_all()
    found = sales.deployment()
    assert (found["phase"], found["health"]) == ("running", "healthy")
    assert found["revision"] == found["observed_revision"]
    second, first = history(sales)
    assert (second["status"], second["is_current"]) == ("FAILED", False)
    assert (first["status"], first["is_current"]) == ("DEPLOYED", True)
    assert "no room" in second["error"]


@pytest.mark.parametrize("point", ["before fetch", "after configure", "after start"])
def test_a_deploy_that_is_cancelled_between_two_steps_is_undone(sales: Reconciled, point: str) -> None:
    deployed(sales, ONE)
    send(sales, TWO)
    begun = ask(sales, digest=TWO[0]).json()["id"]
    asked: list[int] = []

    def at(now: str) -> None:
        if now == point and not asked:
            asked.append(sales.owner.post(f"/v1/operations/{begun}/cancel").status_code)

    sales.driver.at = at
    sales.reconciler.carry_out_all()
    assert asked == [202]
    assert sales.owner.get(f"/v1/operations/{begun}").json()["state"] == "cancelled"
    sales.reconciler.observer.observe_all()
    found = sales.deployment()
    assert (found["phase"], found["health"]) == ("running", "healthy")
    assert found["revision"] == found["observed_revision"]
    assert [(one["status"], one["is_current"]) for one in history(sales)] == [
        ("FAILED", False),
        ("DEPLOYED", True),
    ]


def test_a_roll_back_brings_the_code_before_back_and_is_a_line_of_its_own(sales: Reconciled) -> None:
    deployed(sales, ONE)
    deployed(sales, TWO)
    assert done(sales, ask(sales, "/roll-back", description="two was wrong"))["state"] == "succeeded"
    assert digest_that_runs(sales) == ONE[0]
    newest, two, _ = history(sales)
    assert (newest["digest"], newest["rolled_back_from"]) == (ONE[0], two["id"])
    assert newest["is_current"] and not two["is_current"]


def test_the_first_deploy_is_rolled_back_to_the_clusters_own_environment(sales: Reconciled) -> None:
    deployed(sales, ONE)
    assert done(sales, ask(sales, "/roll-back"))["state"] == "succeeded"
    assert digest_that_runs(sales) == "" and sales.deployment()["version"] == "3.3.2"
    assert history(sales)[0]["digest"] == ""
    refused = ask(sales, "/roll-back")
    assert refused.status_code == 409 and "no code of its own" in refused.json()["message"]


def test_a_roll_back_over_a_migration_is_refused_and_says_which(sales: Reconciled) -> None:
    deployed(sales, ONE)
    sales.driver.heads = "def"
    deployed(sales, TWO)
    refused = ask(sales, "/roll-back", deploy=history(sales)[1]["id"])
    assert refused.status_code == 409
    assert "alembic_version: def, abc" in refused.json()["message"]
    assert "backup" in refused.json()["remedy"]
    assert digest_that_runs(sales) == TWO[0]


def test_a_roll_back_to_what_never_ran_or_is_not_there_is_refused(sales: Reconciled) -> None:
    deployed(sales, ONE)
    sales.driver.failing["check_code"] = StepFailed("plugins do not import", final=True)
    deployed(sales, TWO)
    sales.driver.failing.clear()
    never = ask(sales, "/roll-back", deploy=history(sales)[0]["id"])
    assert never.status_code == 409 and "never run" in never.json()["message"]
    assert ask(sales, "/roll-back", deploy=str(uuid4())).status_code == 404


def test_code_of_another_airflow_is_an_upgrade_with_a_backup(sales: Reconciled) -> None:
    newer = plane_archive.made("NEW = 1\n", airflow="3.4.0")
    send(sales, newer)
    refused = ask(sales, digest=newer[0])
    assert refused.status_code == 409 and "--upgrade" in refused.json()["remedy"]
    operation = done(sales, ask(sales, digest=newer[0], upgrade=True))
    assert (operation["kind"], operation["state"]) == ("upgrade", "succeeded")
    assert sales.deployment()["version"] == "3.4.0" and digest_that_runs(sales) == newer[0]
    [backup] = sales.owner.get("/v1/deployments/sales/backups").json()["items"]
    assert backup["version"] == "3.3.2"
    operator = sales.with_role(Role.DEPLOYMENT_OPERATOR, deployment="sales")
    upgrade = operator.post("/v1/deployments/sales/deploys", json={"digest": newer[0], "upgrade": True})
    assert upgrade.status_code == 403, "an operator deploys, and does not upgrade"


def test_a_deployment_with_code_of_its_own_is_not_upgraded_under_it(sales: Reconciled) -> None:
    older = plane_archive.made("OLD = 1\n", airflow="3.3.0")
    deployed(sales, older)
    refused = sales.owner.post("/v1/deployments/sales/upgrade", json={"version": "3.3.2"})
    assert refused.status_code == 409 and "--upgrade" in refused.json()["remedy"]


def test_a_backup_brings_the_code_of_its_time_back(sales: Reconciled) -> None:
    deployed(sales, ONE)
    done(sales, sales.owner.post("/v1/deployments/sales/backups", json={}))
    deployed(sales, TWO)
    [backup] = sales.owner.get("/v1/deployments/sales/backups").json()["items"]
    path = f"/v1/deployments/sales/backups/{backup['id']}/restore"
    assert done(sales, sales.owner.post(path, json={"accept_loss": True}))["state"] == "succeeded"
    assert digest_that_runs(sales) == ONE[0]
    assert [one["is_current"] for one in history(sales)] == [False, True]


def test_the_history_is_kept_for_90_days_and_the_present_deploy_longer(sales: Reconciled) -> None:
    deployed(sales, ONE)
    deployed(sales, TWO)
    sales.time.pass_(days=91)
    three = plane_archive.made("THREE = 3\n")
    deployed(sales, three)
    assert [one["digest"] for one in history(sales)] == [three[0], TWO[0]]
    assert set(sales.driver.archives[sales.deployment()["slug"]]) == {TWO[0], three[0]}


def test_the_same_code_is_not_deployed_again(sales: Reconciled) -> None:
    deployed(sales, ONE)
    again = ask(sales, digest=ONE[0])
    assert again.status_code == 409 and "has that code already" in again.json()["message"]


# ---- what is sent


def test_what_is_sent_is_kept_once_and_said_what_it_is(sales: Reconciled) -> None:
    first, second = send(sales, ONE), send(sales, ONE)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert (first.json()["airflow"], first.json()["digest"]) == ("3.3.2", ONE[0])
    assert sales.platform.archives is not None
    files = [one for one in sales.platform.archives._folder.rglob("*") if one.is_file()]
    assert sorted(one.suffix for one in files) == [".gz", ".json"], "nothing is left of what was received"
    folders = [sales.platform.archives._folder, *(one.parent for one in files)]
    assert {one.stat().st_mode & 0o077 for one in folders} == {0}, "the platform's user alone enters"


def test_an_archive_of_another_digest_is_refused_and_not_kept(sales: Reconciled) -> None:
    refused = send(sales, (TWO[0], ONE[1]))
    assert refused.status_code == 422 and ONE[0] in refused.json()["message"]
    assert ask(sales, digest=TWO[0]).status_code == 404


def test_what_is_no_archive_is_refused_with_the_reason(sales: Reconciled) -> None:
    refused = send(sales, (ONE[0], b"no archive"))
    assert refused.status_code == 422 and "no whole tar file" in refused.json()["message"]
    assert refused.json()["remedy"]


def test_an_archive_that_is_too_large_is_left_at_the_limit(
    sales: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane_archives, "COMPRESSED", 100)
    refused = send(sales, ONE)
    assert (refused.status_code, refused.json()["error"]) == (413, "too_large")
    assert sales.platform.archives is not None
    assert [one for one in sales.platform.archives._folder.rglob("*") if one.is_file()] == []


def test_an_archive_of_one_deployment_is_none_of_another(sales: Reconciled) -> None:
    sales.created("ops")
    send(sales, ONE)
    answer = sales.owner.post("/v1/deployments/ops/deploys", json={"digest": ONE[0]})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"digest": ONE[0], "image": IMAGE}, {"digest": "sha256:abc"}, {"image": "shop-plane:latest"}],
    ids=["nothing", "both", "no digest", "a tag"],
)
def test_a_deploy_names_one_digest(sales: Reconciled, body: dict[str, Any]) -> None:
    assert ask(sales, **body).status_code == 422


# ---- who may, and where


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (Role.DEPLOYMENT_ADMIN, 202),
        (Role.DEPLOYMENT_OPERATOR, 202),
        (Role.DEPLOYMENT_AUTHOR, 403),
        (Role.DEPLOYMENT_VIEWER, 403),
    ],
    ids=lambda one: getattr(one, "value", one),
)
def test_authors_do_not_deploy_to_the_plane(sales: Reconciled, role: Role, status: int) -> None:
    """Their Dags go to the site: code on the plane runs in its API servers, whatever the auth manager says."""
    caller = sales.with_role(role, deployment="sales")
    assert send(sales, ONE, caller).status_code == (200 if status == 202 else 403)
    send(sales, ONE)
    answer = caller.post("/v1/deployments/sales/deploys", json={"digest": ONE[0]})
    assert answer.status_code == status
    sales.reconciler.carry_out_all()
    assert caller.get("/v1/deployments/sales/deploys").status_code == 200
    if status == 202:
        assert caller.post("/v1/deployments/sales/deploys/roll-back", json={}).status_code == 202


def test_nothing_is_received_of_a_caller_who_may_not_deploy(sales: Reconciled) -> None:
    caller = sales.with_role(Role.DEPLOYMENT_AUTHOR, deployment="sales")
    assert send(sales, ONE, caller).status_code == 403
    assert sales.platform.archives is not None and not sales.platform.archives._folder.exists()


def test_a_cluster_of_this_machine_takes_no_image(sales: Reconciled) -> None:
    refused = ask(sales, image=IMAGE, airflow="3.3.2")
    assert refused.status_code == 409 and "runs no images" in refused.json()["message"]


@pytest.fixture
def far(sales: Reconciled, tmp_path: Path) -> Callable[[tuple[Kind, ...]], FakeDriver]:
    """A Deployment `far` of a cluster whose controller has these operations; returns what the controller's driver has done."""

    def new(kinds: tuple[Kind, ...] = tuple(Kind)) -> FakeDriver:
        ask = {"name": "eu", "agents_host": "{id}.a.example.com", "people_domain": "{id}.p.example.com"}
        made = sales.owner.post("/v1/clusters", json=ask)
        assert made.status_code == 201, made.text
        (tmp_path / "cluster-token").write_text(made.json()["token"])
        client = PlatformClient(
            "http://p.example.com", tmp_path / "cluster-token", transport=sales.owner._transport
        )
        driver = FakeDriver()
        Controller(client, driver, "kubernetes", "1", wait_seconds=0).turn()
        with sales.platform.store.transaction(sales.organization) as db:
            row = cluster_work.controller(db, UUID(made.json()["id"]))
            row.steps = {kind: steps for kind, steps in row.steps.items() if kind in kinds}
        sales.create("far", cluster="eu")
        with sales.platform.store.transaction(sales.organization) as db:
            operation = db.scalars(select(Operation).where(Operation.unfinished.is_not(None))).one()
            deployment = db.get_one(Deployment, operation.deployment_id)
            endings.end(db, operation, deployment, sales.time.now)
        return driver

    return new


def test_a_cluster_of_kubernetes_takes_an_image_by_its_digest_and_no_archive(
    sales: Reconciled, far: Callable[..., FakeDriver]
) -> None:
    far()
    refused = sales.owner.put(f"/v1/deployments/far/archives/{ONE[0]}", content=ONE[1])
    assert refused.status_code == 409 and "--registry" in refused.json()["remedy"]
    taken = sales.owner.post("/v1/deployments/far/deploys", json={"image": IMAGE, "airflow": "3.3.2"})
    assert taken.status_code == 202, taken.text
    [line] = sales.owner.get("/v1/deployments/far/deploys").json()["items"]
    assert (line["image"], line["airflow"], line["status"]) == (IMAGE, "3.3.2", "INITIALIZED")


def test_a_controller_that_knows_no_deploys_is_named(
    sales: Reconciled, far: Callable[..., FakeDriver]
) -> None:
    far(tuple(kind for kind in Kind if kind is not Kind.DEPLOY))
    refused = sales.owner.post("/v1/deployments/far/deploys", json={"image": IMAGE})
    assert refused.status_code == 409 and "too old for deploys" in refused.json()["message"]


# ---- the rules


def test_a_patch_release_is_left_to_the_heads_and_a_minor_is_not() -> None:
    assert rules.why_not_without_migration("3.3.0", "3.3.2") == ""
    assert rules.why_not_without_migration("", "3.3.2") == rules.why_not_without_migration("3.3.2", "") == ""
    assert "3.4.0" in rules.why_not_without_migration("3.3.2", "3.4.0")


def test_heads_that_are_not_known_do_not_differ() -> None:
    assert rules.differing({}, {"alembic_version": "a"}) == ()
    assert rules.differing({"a": "1"}, {"a": "1"}) == []
    assert rules.differing({"a": "1"}, {"a": "1", "b": "2"}) == ["b: none, 2"]
