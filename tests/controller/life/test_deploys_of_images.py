"""A Deployment of a cluster runs an image that a person has pushed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.life.world import (
    HEALTHY,
    IMAGE,
    NEW,
    OLD,
    World,
    created,
    history,
)
from tradewind_platform.domain.operations import Kind
from tradewind_platform.reconciler.driver import Document


def deployed(world: World, document: Document, airflow: str = OLD, digest: str = "a" * 64) -> Document:
    """With an image that a person has pushed."""
    world.pushed[digest] = airflow
    code = {"id": "1", "digest": "", "image": f"registry.example.com/shop-plane@sha256:{digest}"}
    spec = {**document.spec, "deploy": code, "version": airflow}
    return replace(document, spec=spec, before=document.spec, revision=document.revision + 1)


def test_scenario_27_an_image_is_deployed_by_its_digest_and_a_roll_back_brings_the_clusters_own_back(
    world: World,
) -> None:
    document = created(world)
    after = world.done(Kind.DEPLOY, deployed(world, document), times=2)
    assert world.image(document) == "registry.example.com/shop-plane@sha256:" + "a" * 64
    assert after.arguments["heads"] == {"alembic_version": OLD}
    assert world.conditions(after) == HEALTHY and not world.route(document).closed
    assert world.migrated == [OLD], "a deploy never migrates"
    back = replace(document, before=after.spec, revision=after.revision + 1)
    assert world.conditions(world.done(Kind.DEPLOY, back)) == HEALTHY
    assert world.image(document) == f"{IMAGE}:{OLD}"


@pytest.mark.parametrize(
    ("trouble", "said"),
    [("plugins", "plugins do not import: wrong.py"), ("heads", "the database would have to be migrated"),
     ("version", "has Airflow 3.3.2, and not 3.3.0")],
    ids=["a plugin", "a migration", "another Airflow than was said"],
)  # fmt: skip
def test_an_image_that_cannot_take_the_place_of_the_present_one_stops_nothing(
    world: World, trouble: str, said: str
) -> None:
    document = created(world)
    asked = deployed(world, document, NEW if trouble == "heads" else OLD)
    if trouble == "plugins":
        world.plugins.append("wrong.py")
    if trouble == "version":
        world.pushed["a" * 64] = NEW
    revision = len(history(world, document))
    step, why = world.undone(Kind.DEPLOY, asked)
    assert step == "check code" and said in why
    assert len(history(world, document)) == revision and world.conditions(document) == HEALTHY
    assert world.image(document) == f"{IMAGE}:{OLD}"


def test_an_image_that_does_not_serve_is_undone(world: World) -> None:
    document = created(world)
    asked = deployed(world, document)
    for step in ("check code", "close for upgrade", "stop", "configure"):
        world.apply(step, asked)
    world.apply("start API server", asked)
    for step in world.driver.undo(Kind.DEPLOY, "probe inside"):
        world.apply(step, asked)
    assert world.image(document) == f"{IMAGE}:{OLD}"
    assert world.conditions(document) == HEALTHY and not world.route(document).closed
