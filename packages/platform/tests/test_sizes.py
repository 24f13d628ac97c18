"""Sizes of Deployments: named by who owns a cluster, chosen by who owns a Deployment."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from support.fake_driver import FakeDriver
from support.platform_parts import Reconciled
from tradewind_platform.controller.controller import Controller
from tradewind_platform.controller.platform_client import PlatformClient
from tradewind_platform.store.tables import DeploymentRevision

PATH = "/v1/deployments/sales"


@pytest.fixture
def north(reconciled: Reconciled, tmp_path: Path) -> Controller:
    """The controller of a cluster that has two sizes."""
    ask = {"name": "north", "agents_host": "{id}.example.com", "people_domain": "{id}.example.com"}
    made = reconciled.owner.post("/v1/clusters", json=ask).json()
    (tmp_path / "token").write_text(made["token"])
    client = PlatformClient(
        "http://platform.example.com", tmp_path / "token", transport=reconciled.owner._transport
    )
    driver = FakeDriver()
    made = Controller(client, driver, "fake", "1", wait_seconds=0, sizes=("small", "large"))
    made.turn()
    return made


def settled(reconciled: Reconciled, controller: Controller) -> None:
    for _ in range(12):
        reconciled.reconciler.carry_out_all()
        controller.turn()


def size_in_the_cluster(controller: Controller) -> str:
    assert isinstance(controller.driver, FakeDriver)
    [document] = controller.driver.given.values()
    return str(document.spec.get("size"))


def test_the_cluster_says_which_sizes_it_has(reconciled: Reconciled, north: Controller) -> None:
    found = reconciled.owner.get("/v1/clusters/north").json()
    assert found["controller"]["sizes"] == ["small", "large"]
    assert reconciled.owner.get("/v1/clusters/local").json()["controller"] is None


def test_a_deployment_is_made_with_its_size_and_a_change_of_it_is_applied(
    reconciled: Reconciled, north: Controller
) -> None:
    assert reconciled.create(cluster="north", size="small")["size"] == "small"
    settled(reconciled, north)
    assert size_in_the_cluster(north) == "small"
    answer = reconciled.owner.patch(PATH, json={"size": "large"})
    assert answer.status_code == 200 and answer.json()["operation"] is not None, answer.text
    settled(reconciled, north)
    found = reconciled.deployment()
    assert (found["size"], found["phase"], size_in_the_cluster(north)) == ("large", "running", "large")
    [event] = reconciled.events(action="deployment.update")
    assert event["changes"] == {"size": ["small", "large"]}
    reconciled.owner.patch(PATH, json={"size": ""})
    settled(reconciled, north)
    assert (reconciled.deployment()["size"], size_in_the_cluster(north)) == ("", "")


def test_another_size_is_refused_with_those_that_there_are(reconciled: Reconciled, north: Controller) -> None:
    refused = reconciled.owner.post(
        "/v1/deployments", json={"name": "sales", "cluster": "north", "size": "huge"}
    )
    assert refused.status_code == 404 and "small, large" in refused.json()["remedy"]
    reconciled.create(cluster="north")
    settled(reconciled, north)
    refused = reconciled.owner.patch(PATH, json={"size": "huge"})
    assert refused.status_code == 404 and "no size 'huge'" in refused.json()["message"]
    assert reconciled.deployment()["revision"] == 1


def test_the_platforms_own_machine_has_no_sizes(reconciled: Reconciled) -> None:
    refused = reconciled.owner.post("/v1/deployments", json={"name": "sales", "size": "small"})
    assert refused.status_code == 404 and "It has: none" in refused.json()["remedy"]


def test_a_deployment_of_before_there_were_sizes_is_changed_as_ever(reconciled: Reconciled) -> None:
    reconciled.created()
    with reconciled.platform.store.across_organizations() as db:
        [row] = db.scalars(select(DeploymentRevision))
        row.spec = {key: value for key, value in row.spec.items() if key != "size"}
    assert reconciled.owner.get(PATH).json()["size"] == ""
    answer = reconciled.owner.patch(PATH, json={"description": "EU"})
    assert answer.status_code == 200 and answer.json()["operation"] is None, answer.text
