"""A Deployment of a cluster hibernates and wakes."""

from __future__ import annotations

import pytest

from controller.conftest import namespace_of
from controller.life.world import (
    HEALTHY,
    IMAGE,
    OLD,
    New,
    World,
    created,
    history,
)
from tradewind_platform.domain.health import ConditionType, Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.reconciler.driver import StepWaits
from tradewind_platform.reconciler.reconciler import TRIES


def test_scenario_16_it_hibernates_without_pods_or_drift_and_wakes_with_the_agents_of_before(
    world: World,
) -> None:
    document = created(world)
    world.airflow.agents.update({"a1": "healthy", "a2": "cordoned"})
    world.airflow.running.append("sums.add")
    world.apply("cordon", document)
    with pytest.raises(StepWaits, match=r"waits for sums\.add"):
        world.driver.apply("wait for tasks", document)
    assert world.airflow.agents == {"a1": "cordoned", "a2": "cordoned"}

    world.airflow.running.clear()
    world.done(Kind.HIBERNATE, document)
    assert world.replicas(document) == {"api-server": 0, "scheduler": 0}
    assert world.route(document).closed == "hibernating"
    seen = {one.type: one for one in world.driver.observe(document)}
    assert not [one for one in seen.values() if one.status is Status.FALSE], "nothing of it is broken"
    assert seen[ConditionType.API_SERVER_READY].reason == "Hibernating"
    assert seen[ConditionType.CONFIG_APPLIED].status is Status.TRUE, "no drift: Helm's values have no pods"

    world.done(Kind.WAKE, document)
    assert world.conditions(document) == HEALTHY
    assert world.replicas(document) == {"api-server": 2, "scheduler": 1} and not world.route(document).closed
    assert world.airflow.agents == {"a1": "healthy", "a2": "cordoned"}, "a person has cordoned the other one"
    assert world.migrated == [OLD], "what was migrated is not migrated again"


def test_scenario_16_one_that_was_deleted_asleep_has_no_cordoned_agents_when_it_is_restored(
    world: World,
) -> None:
    document = created(world)
    world.airflow.agents["a1"] = "healthy"
    world.done(Kind.HIBERNATE, document)
    world.done(Kind.DELETE, document)
    world.done(Kind.RESTORE, document)
    assert world.airflow.agents == {"a1": "healthy"} and world.conditions(document) == HEALTHY


def test_scenario_16_a_hibernation_that_fails_is_undone(world: World) -> None:
    document = created(world)
    world.airflow.agents["a1"] = "healthy"
    for step in ("cordon", "wait for tasks", "close", "stop"):
        world.apply(step, document)
    for step in world.driver.undo(Kind.HIBERNATE, "stop"):
        world.apply(step, document)
    assert world.conditions(document) == HEALTHY and world.airflow.agents == {"a1": "healthy"}


def test_pods_that_are_evicted_while_it_falls_asleep_are_waited_for(world: World) -> None:
    """A hibernation that failed would leave its agents cordoned: the API server that is away is what uncordons them."""
    document = created(world)
    world.airflow.agents["a1"] = "healthy"
    world.airflow.running.append("sums.add")
    world.apply("cordon", document)
    for step in ("cordon", "wait for tasks", "uncordon"):
        world.airflow.evicted = True
        for _ in range(TRIES + 1):
            with pytest.raises(StepWaits, match="the API server does not answer"):
                world.driver.apply(step, document)
        world.airflow.evicted = False
    with pytest.raises(StepWaits, match=r"waits for sums\.add"):
        world.driver.apply("wait for tasks", document)
    world.airflow.running.clear()
    world.done(Kind.HIBERNATE, document)
    assert world.replicas(document) == {"api-server": 0, "scheduler": 0}


def test_an_image_that_changed_while_it_slept_migrates_before_it_serves(new_world: New) -> None:
    world = new_world()
    document = created(world)
    world.done(Kind.HIBERNATE, document)
    another = new_world(versions={OLD: {"repository": IMAGE, "tag": "3.3.0-rebuilt"}})
    another.done(Kind.WAKE, document)
    assert another.migrated == ["3.3.0-rebuilt"] and another.conditions(document) == HEALTHY


def test_it_is_stopped_once_its_last_pod_is_gone(world: World) -> None:
    document = created(world)
    namespace = namespace_of(document)
    world.pod(namespace, "last", {"app.kubernetes.io/instance": document.slug}, phase="Running")
    with pytest.raises(StepWaits, match="the end of last"):
        world.driver.apply("stop", document)
    revision = len(history(world, document))
    with pytest.raises(StepWaits):
        world.driver.apply("stop", document)
    assert len(history(world, document)) == revision, "Helm is not asked again while pods end"
    world.cluster.server.admin.delete(f"/api/v1/namespaces/{namespace}/pods/last")
    world.driver.apply("stop", document)
