"""A Deployment of a cluster is backed up, rolled back and cleaned up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from controller.life.world import (
    HEALTHY,
    IMAGE,
    LATER,
    OLD,
    New,
    World,
    created,
    history,
    jobs,
    new_backup,
    upgraded,
)
from tradewind_platform.domain.operations import Kind
from tradewind_platform.drivers import clean_up
from tradewind_platform.reconciler.driver import StepFailed, StepWaits


def test_a_clean_up_is_a_job_with_the_image_of_the_deployment_beside_its_pods(world: World) -> None:
    document = created(world)
    world.sql(document.slug, "INSERT INTO dag_run VALUES ('old', '2025-01-01'), ('fresh', '2026-02-01')")
    revisions, replicas = history(world, document), world.replicas(document)
    asked = replace(document, arguments={clean_up.BEFORE: "2026-01-01T00:00:00+00:00"})
    with pytest.raises(StepWaits, match="the clean-up Job"):
        world.driver.apply("clean up", asked)
    images = {one["spec"]["template"]["spec"]["containers"][0]["image"] for one in jobs(world, document)}
    assert images == {f"{IMAGE}:{OLD}"}
    found = world.done(Kind.CLEAN, asked).arguments[clean_up.FACT]
    assert found["rows"] == {"dag_run": 1} and found["before"] == "2026-01-01T00:00:00+00:00"
    assert world.sql(document.slug, "SELECT run_id FROM dag_run") == [("fresh",)]
    assert len(jobs(world, document)) == 1, "that of the migration"
    assert (history(world, document), world.replicas(document)) == (revisions, replicas)
    assert world.conditions(document) == HEALTHY and world.migrated == [OLD]

    again = world.done(Kind.CLEAN, asked).arguments[clean_up.FACT]
    assert again["rows"] == {"dag_run": 0}, "another Job has looked"


def test_a_clean_up_that_fails_says_why_and_leaves_no_job(world: World) -> None:
    document = created(world)
    world.trouble = "OperationalError: out of shared memory"
    asked = replace(document, arguments={clean_up.BEFORE: LATER})
    step, why = world.undone(Kind.CLEAN, asked)
    assert (step, why) == ("clean up", "airflow db clean: OperationalError: out of shared memory")
    assert len(jobs(world, document)) == 1 and world.conditions(document) == HEALTHY


def test_scenario_14_a_rollback_counts_runs_and_fences_what_was_granted_since(world: World) -> None:
    document = created(world)
    world.sql(document.slug, "INSERT INTO tradewind_attempt VALUES (3, NULL), (1, now())")
    world.done(Kind.BACKUP, replace(document, arguments={"kept": [str(document.backup.id)]}))  # type: ignore[union-attr]
    world.sql(document.slug, "INSERT INTO dag_run VALUES ('since', '2998-01-01')")
    made_at = "2997-01-01T12:30:00+00:00"
    asked = replace(document, arguments={"made_at": made_at, "accept_loss": False})
    step, why = world.undone(Kind.ROLLBACK, asked)
    assert step == "count" and "1 runs since 2997-01-01T12:30 UTC will be forgotten" in why
    assert world.conditions(document) == HEALTHY

    accepted = replace(asked, arguments={"made_at": made_at, "accept_loss": True})
    after = world.done(Kind.ROLLBACK, accepted)
    assert after.arguments["forgotten"] == 1 and world.conditions(document) == HEALTHY
    assert world.sql(document.slug, "SELECT run_id FROM dag_run") == []
    assert sorted(world.sql(document.slug, "SELECT epoch FROM tradewind_attempt")) == [(1,), (1_000_003,)]


def test_scenario_14_a_deployment_that_does_not_answer_is_rolled_back(world: World) -> None:
    """Its runs are counted in its database."""
    document = created(world)
    world.done(Kind.BACKUP, replace(document, arguments={"kept": [str(document.backup.id)]}))  # type: ignore[union-attr]
    world.apply("stop", document)
    world.sql(document.slug, "UPDATE alembic_version SET version_num = 'broken'")
    world.done(Kind.ROLLBACK, replace(document, arguments={"made_at": LATER, "accept_loss": False}))
    assert world.head(document.slug) == OLD and world.conditions(document) == HEALTHY


def test_scenario_18_a_backup_is_encrypted_forgotten_in_time_and_purged(world: World, tmp_path: Path) -> None:
    document = created(world)
    world.sql(document.slug, "INSERT INTO dag_run VALUES ('canary-run', now())")
    first, second = document, replace(document, backup=new_backup())
    assert first.backup is not None and second.backup is not None
    world.done(Kind.BACKUP, replace(first, arguments={"kept": [str(first.backup.id)]}))
    world.done(Kind.BACKUP, replace(second, arguments={"kept": [str(second.backup.id)]}))
    [file] = (tmp_path / "backups" / document.slug).iterdir()
    assert file.name == f"{second.backup.id}.backup" and b"canary" not in file.read_bytes()
    world.done(Kind.DELETE, document)
    world.done(Kind.PURGE, document)
    assert not (tmp_path / "backups" / document.slug).exists()


def test_without_a_volume_nothing_is_backed_up_and_an_upgrade_does_not_begin(new_world: New) -> None:
    world = new_world(backups=None)
    document = created(world)
    with pytest.raises(StepFailed, match=r"backups\.existingClaim"):
        world.driver.apply("back up", document)
    step, why = world.undone(Kind.UPGRADE, upgraded(document))
    assert step == "preflight" and "no volume for backups" in why and "backups.existingClaim" in why
    assert world.conditions(document) == HEALTHY and world.head(document.slug) == OLD
