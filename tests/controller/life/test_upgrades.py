"""A Deployment of a cluster is upgraded, and what fails or is killed is undone."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from controller.conftest import HELM, namespace_of
from controller.life.world import (
    HEALTHY,
    IMAGE,
    LATER,
    MIGRATES,
    NEW,
    OLD,
    New,
    World,
    created,
    history,
    jobs,
    new_backup,
    upgraded,
)
from support import postgresql
from tradewind_platform.domain.operations import Kind
from tradewind_platform.reconciler.driver import Document, StepFailed, StepWaits
from tradewind_platform.reconciler.reconciler import TRIES


def test_a_preflight_waits_for_an_api_server_that_is_evicted(world: World) -> None:
    document = created(world)
    world.airflow.evicted = True
    with pytest.raises(StepWaits, match="the preflight Job|the API server does not answer"):
        world.driver.apply("look", upgraded(document))
    world.complete_the_jobs(namespace_of(document))
    with pytest.raises(StepWaits, match="the API server does not answer"):
        world.driver.apply("look", upgraded(document))
    world.airflow.evicted = False
    assert "refused" not in str(world.apply("look", upgraded(document)))


def test_scenario_12_an_upgrade_stops_backs_up_migrates_and_serves_the_new_version(world: World) -> None:
    document = created(world)
    world.sql(document.slug, "INSERT INTO dag_run VALUES ('canary-first', now())")
    after = world.done(Kind.UPGRADE, upgraded(document))
    assert world.head(document.slug) == NEW and world.image(document) == f"{IMAGE}:{NEW}"
    assert world.conditions(after) == HEALTHY and not world.route(document).closed
    table = {one["check"]: one["verdict"] for one in after.arguments["preflight"]}
    assert table == dict.fromkeys(
        ("version", "agents", "disk", "image", "database", "plugins", "configuration"), "ok"
    )
    facts = after.arguments["backup"]
    assert (facts["version"], facts["heads"]["alembic_version"]) == (OLD, OLD)


def test_a_preflight_changes_nothing_and_leaves_no_job(world: World) -> None:
    document = created(world)
    before = history(world, document)
    after = world.done(Kind.PREFLIGHT, upgraded(document))
    assert "refused" not in {one["verdict"] for one in after.arguments["preflight"]}
    assert history(world, document) == before and world.migrated == [OLD]
    left = [one["spec"]["template"]["spec"]["containers"][0]["args"] for one in jobs(world, document)]
    assert left == [MIGRATES]


def test_scenario_11_each_step_of_its_life_may_be_done_twice(world: World) -> None:
    document = created(world)
    world.airflow.agents["a1"] = "healthy"
    world.done(Kind.HIBERNATE, document, times=2)
    world.done(Kind.WAKE, document, times=2)
    assert world.airflow.agents == {"a1": "healthy"}
    backup = document.backup
    assert backup is not None
    kept = {"kept": [str(backup.id)]}
    world.done(Kind.BACKUP, replace(document, arguments=kept), times=2)
    after = world.done(Kind.UPGRADE, replace(upgraded(document), backup=new_backup()), times=2)
    assert world.conditions(after) == HEALTHY
    back = replace(document, before=after.spec, arguments={"made_at": LATER, "accept_loss": False})
    world.done(Kind.ROLLBACK, back, times=2)
    assert world.head(document.slug) == OLD and world.conditions(document) == HEALTHY


def test_scenario_13_a_migration_that_fails_is_undone_with_the_same_rows(world: World) -> None:
    document = created(world)
    world.sql(document.slug, "INSERT INTO dag_run VALUES ('first', now())")
    asked = upgraded(document)
    for step in ("preflight", "close for upgrade", "stop", "back up", "configure"):
        world.apply(step, asked)
    assert world.route(document).closed == "upgrading"
    world.poisoned = True
    with pytest.raises(StepFailed, match=r"the migration Job failed: starts \| poisoned"):
        world.apply("migrate", asked)
    with pytest.raises(StepFailed, match="migration Job failed"):  # the reconciler tries again
        world.apply("migrate", asked)
    world.poisoned = False
    for step in world.driver.undo(Kind.UPGRADE, "migrate"):
        world.apply(step, asked)
    assert world.head(document.slug) == OLD and world.image(document) == f"{IMAGE}:{OLD}"
    assert world.sql(document.slug, "SELECT run_id FROM dag_run") == [("first",)]
    assert world.conditions(document) == HEALTHY and not world.route(document).closed

    after = world.done(Kind.UPGRADE, replace(upgraded(document), backup=new_backup()))
    assert world.head(document.slug) == NEW, "a Job of the first try does not count"
    assert world.conditions(after) == HEALTHY


def test_a_volume_that_is_full_undoes_the_upgrade_at_once_and_keeps_no_part(
    world: World, tmp_path: Path
) -> None:
    document = created(world)
    volume = tmp_path / "backups"
    volume.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", volume], check=False).returncode:
        pytest.skip("this process may not mount a volume")
    try:
        asked = upgraded(document)
        for step in ("preflight", "close for upgrade", "stop"):
            world.apply(step, asked)
        filler = volume / "filler"
        with pytest.raises(OSError, match="No space left"), open(filler, "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        with pytest.raises(StepFailed, match="No space left on device; make room there") as failed:
            world.driver.apply("back up", asked)
        assert failed.value.final, "the Deployment is stopped meanwhile"
        for step in world.driver.undo(Kind.UPGRADE, "back up"):
            world.apply(step, asked)
        assert world.conditions(document) == HEALTHY and world.image(document) == f"{IMAGE}:{OLD}"
        assert [one.name for one in volume.rglob("*") if one.is_file()] == ["filler"]
        filler.unlink()
        world.done(Kind.UPGRADE, asked)
        assert world.head(document.slug) == NEW
    finally:
        subprocess.run(["umount", volume], check=True)


def test_a_postgresql_that_is_away_in_an_upgrade_is_waited_for_also_while_that_is_undone(
    world: World, server: postgresql.PostgreSQL
) -> None:
    """A step that failed would be undone by steps that fail as well, and the Deployment would stay closed."""
    document = created(world)
    world.sql(document.slug, "INSERT INTO dag_run VALUES ('first', now())")
    asked = upgraded(document)
    for step in ("preflight", "close for upgrade", "stop"):
        world.apply(step, asked)
    away(world, server, "back up", asked)
    for step in ("back up", "configure", "migrate"):
        world.apply(step, asked)
    away(world, server, "restore before", asked)
    for step in world.driver.undo(Kind.UPGRADE, "probe inside"):
        world.apply(step, asked)
    assert world.head(document.slug) == OLD and world.conditions(document) == HEALTHY
    assert world.sql(document.slug, "SELECT run_id FROM dag_run") == [("first",)]


def away(world: World, server: postgresql.PostgreSQL, step: str, document: Document) -> None:
    """The step waits as long as the server is away."""
    server.stop()
    try:
        for _ in range(TRIES + 1):
            with pytest.raises(StepWaits, match="the PostgreSQL for Deployments cannot be reached"):
                world.driver.apply(step, document)
    finally:
        server.start()


def test_a_version_that_the_cluster_has_no_image_of_is_refused_before_anything_is_closed(
    world: World,
) -> None:
    document = created(world)
    step, why = world.undone(
        Kind.UPGRADE, replace(document, spec={**document.spec, "version": "3.3.9"}, revision=2)
    )
    assert step == "preflight" and "no image with Airflow 3.3.9" in why and "plane.versions" in why
    assert world.conditions(document) == HEALTHY


def test_scenario_11_a_controller_that_is_killed_in_any_step_of_an_upgrade_is_followed_by_another(
    new_world: New,
) -> None:
    """Each step is begun by one process, which is killed where it waits or after it is done, and done by the next one."""
    document = created(new_world())
    asked, waited = upgraded(document), []
    for step in new_world().driver.steps(Kind.UPGRADE):
        try:
            new_world().driver.apply(step, asked)
        except StepWaits:
            waited.append(step)
        facts = new_world().apply(step, asked)
        asked = replace(asked, arguments={**asked.arguments, **facts})
    world = new_world()
    assert waited == ["preflight", "migrate"], "its Jobs were found again, and not made twice"
    assert world.conditions(asked) == HEALTHY and world.head(document.slug) == NEW
    assert [one["spec"]["template"]["spec"]["containers"][0]["args"] for one in jobs(world, document)] == [
        MIGRATES,
        MIGRATES,
    ]


KILLER = """#!/bin/sh
# Helm, and one that is killed after as many seconds as a file says, once. Another file has how long a whole upgrade took.
[ "$1" = upgrade ] || exec {helm} "$@"
if [ -e {fuse} ]; then
  seconds=$(cat {fuse}); rm {fuse}
  exec timeout --signal=KILL "$seconds" {helm} "$@"
fi
began=$(date +%s%N)
{helm} "$@"
code=$?
echo $((($(date +%s%N) - began) / 1000000)) >{took}
exit $code
"""


def test_scenario_11_helm_killed_inside_an_upgrade_recovers(new_world: New, tmp_path: Path) -> None:
    """At five moments of each of its three calls of Helm, and of those that undo it."""
    fuse, took, helm = tmp_path / "fuse", tmp_path / "took", tmp_path / "helm"
    helm.write_text(KILLER.format(fuse=fuse, took=took, helm=HELM))
    helm.chmod(0o755)
    world = new_world(helm=str(helm))
    document = created(world)
    asked = upgraded(document)
    left = []

    def apply(step: str, part: float) -> None:
        """As the reconciler does: a step that failed is tried again. Helm is killed after a part of its last whole run."""
        fuse.write_text(str(float(took.read_text()) / 1000 * part))
        for number in range(TRIES):
            try:
                world.apply(step, asked)
                break
            except StepFailed:
                # A roll back fails, too, where the killed Helm has not deleted what its revision lacks; the next try upgrades.
                assert number < TRIES - 1
                left.append(history(world, document)[-1]["status"])
        fuse.unlink(missing_ok=True)
        assert history(world, document)[-1]["status"] == "deployed"

    for moment in (0.3, 0.5, 0.65, 0.8, 0.95):
        for step in ("preflight", "close for upgrade"):
            world.apply(step, asked)
        apply("stop", moment)
        assert world.replicas(document) == {"api-server": 0, "scheduler": 0}
        for step in ("back up", "configure", "migrate"):
            world.apply(step, asked)
        apply("start API server", moment)
        assert world.replicas(document) == {"api-server": 2, "scheduler": 0}
        for step in world.driver.undo(Kind.UPGRADE, "probe inside"):
            if step in ("stop", "start API server before", "start before"):
                apply(step, moment)
            else:
                world.apply(step, asked)
        assert world.conditions(document) == HEALTHY and world.head(document.slug) == OLD
        asked = replace(asked, backup=new_backup())
    after = world.done(Kind.UPGRADE, asked)
    assert world.conditions(after) == HEALTHY and world.head(document.slug) == NEW
    print(f"\na Helm that was killed left: {left}")
    assert "pending-upgrade" in left, left
