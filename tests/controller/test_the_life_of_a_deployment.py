"""A Deployment of a cluster hibernates, is backed up, upgraded and brought back: against a real API server, Helm and PostgreSQL.

Pods do not run here. What they would do to the database, a Job's end does (`World.ran`), and what they would answer follows from
the replicas that the cluster has.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from controller.conftest import HELM, Cluster, Lab, lab_of, namespace_of, new_document
from support import postgresql
from tradewind_platform.domain.health import ConditionType, Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.drivers import clean_up
from tradewind_platform.drivers.databases import Databases
from tradewind_platform.kubernetes.api import Access, KubernetesApi
from tradewind_platform.kubernetes.gateway import Route
from tradewind_platform.reconciler.driver import BackupFile, Document, StepFailed, StepWaits
from tradewind_platform.reconciler.reconciler import TRIES
from tradewind_platform.security import streams

OLD, NEW = "3.3.0", "3.3.2"
IMAGE = "registry.example.com/tradewind-plane"
MIGRATES = ["airflow", "db", "migrate"]
LATER = "2999-01-01T00:00:00+00:00"


class Api(KubernetesApi):
    """As the controller asks; and the logs of pods, which no kubelet has here."""

    logs: dict[str, str]

    def log(self, pod: str, namespace: str, *, lines: int = 5) -> str:
        return self.logs.get(pod, "")


@dataclass
class World(Lab):
    """A lab with databases that are real."""

    logs: dict[str, str] = field(default_factory=dict)
    poisoned: bool = False
    """A migration fails, after it has broken the database."""
    migrated: list[str] = field(default_factory=list)
    pushed: dict[str, str] = field(default_factory=dict)
    """The version of Airflow in images that people have pushed, by their digest."""
    plugins: list[str] = field(default_factory=list)
    """Those of a new image that do not import."""
    trouble: str = ""
    """What a clean-up says that did not end well."""

    def ran(self, job: Any) -> None:
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        (container,) = job["spec"]["template"]["spec"]["containers"]
        version = container["image"].rpartition(":")[2]
        version = self.pushed.get(version, version)
        slug = job["metadata"]["labels"]["app.kubernetes.io/instance"]
        if container["args"] == MIGRATES:
            self.migrated.append(version)
            if self.poisoned:
                self.sql(slug, "DROP TABLE IF EXISTS dag_run")
                self.failed(job)
                self.logs[f"{name}-pod"] = "starts\npoisoned"
            else:
                self.sql(slug, "CREATE TABLE IF NOT EXISTS alembic_version (version_num text)")
                self.sql(slug, "CREATE TABLE IF NOT EXISTS dag_run (run_id text, run_after timestamptz)")
                self.sql(
                    slug, "CREATE TABLE IF NOT EXISTS tradewind_attempt (epoch bigint, ended_at timestamptz)"
                )
                self.sql(slug, "DELETE FROM alembic_version")
                self.sql(slug, f"INSERT INTO alembic_version VALUES ('{version}')")
        elif clean_up.SCRIPT in container["args"]:
            before = container["args"][-1]
            gone = self.sql(slug, f"DELETE FROM dag_run WHERE run_after < '{before}' RETURNING run_id")
            said = {"rows": {"dag_run": len(gone)}, "skipped": {}, "left_out": [], "failure": self.trouble}
            self.logs[f"{name}-pod"] = f"a warning\n{clean_up.MARK}{json.dumps(said)}"
        else:
            heads = {
                "code": {"alembic_version": [version]},
                "database": {"alembic_version": self.head(slug)},
                "known": {},
                "plugins": self.plugins,
            }
            told = {
                "version": version,
                "heads": {"code": 0, "printed": json.dumps(heads), "error": ""},
                "lint": {"code": 0, "printed": "", "error": ""},
            }
            self.logs[f"{name}-pod"] = f"a warning\ntradewind-preflight {json.dumps(told)}"
        self.pod(
            namespace, f"{name}-pod", {**job["spec"]["template"]["metadata"]["labels"], "job-name": name}
        )

    def failed(self, job: Any) -> None:
        at = "2026-03-01T12:00:00Z"
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": at, "reason": "BackoffLimitExceeded"}
            for kind in ("FailureTarget", "Failed")
        ]
        self.patch(
            f"/apis/batch/v1/namespaces/{job['metadata']['namespace']}/jobs/{job['metadata']['name']}/status",
            {"status": {"startTime": at, "conditions": conditions}},
        )

    def complete_the_jobs(self, namespace: str) -> None:
        jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        if not self.poisoned:
            super().complete_the_jobs(namespace)
            return
        for job in self.cluster.get(jobs)["items"]:
            if not job.get("status", {}).get("conditions"):
                self.ran(job)

    def pod(self, namespace: str, name: str, labels: dict[str, str], phase: str = "Succeeded") -> None:
        """What a kubelet would have made of a pod."""
        pods = f"/api/v1/namespaces/{namespace}/pods"
        # A Job that was deleted leaves its pod here, where nothing collects it.
        self.cluster.server.admin.delete(f"{pods}/{name}", params={"gracePeriodSeconds": "0"})
        context = {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        self.cluster.server.make(
            pods,
            {
                "metadata": {"name": name, "labels": labels},
                "spec": {
                    "containers": [{"name": "c", "image": "x", "securityContext": context}],
                    "serviceAccountName": "tradewind-plane",
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 0,
                },
            },
        )
        self.patch(f"{pods}/{name}/status", {"status": {"phase": phase}})

    def patch(self, path: str, body: Any) -> None:
        answer = self.cluster.server.admin.patch(
            path, content=json.dumps(body), headers={"Content-Type": "application/merge-patch+json"}
        )
        assert answer.status_code == 200, answer.text

    def sql(self, slug: str, statement: str) -> list[Any]:
        with self.databases.opened(slug, "-") as connection:
            found = connection.execute(text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    def head(self, slug: str) -> str:
        return str(self.sql(slug, "SELECT version_num FROM alembic_version")[0][0])

    def replicas(self, document: Document) -> dict[str, int]:
        namespace = namespace_of(document)
        found = self.cluster.get(f"/apis/apps/v1/namespaces/{namespace}/deployments")["items"]
        return {
            one["metadata"]["name"].removeprefix(f"{document.slug}-"): one["spec"]["replicas"]
            for one in found
        }

    def image(self, document: Document) -> str:
        path = f"/apis/apps/v1/namespaces/{namespace_of(document)}/deployments/{document.slug}-scheduler"
        (container,) = self.cluster.get(path)["spec"]["template"]["spec"]["containers"]
        return str(container["image"])

    def route(self, document: Document) -> Route:
        return self.airflow.routes()[document.slug]

    def conditions(self, document: Document) -> dict[ConditionType, Status]:
        return {one.type: one.status for one in self.driver.observe(document)}

    def undone(self, kind: Kind, document: Document) -> tuple[str, str]:
        """The step that fails for good, and why; what it leaves is undone as the reconciler undoes it."""
        for step in self.driver.steps(kind):
            try:
                facts = self.apply(step, document)
            except StepFailed as failed:
                self.poisoned = False
                for undo in self.driver.undo(kind, step):
                    self.apply(undo, document)
                return step, str(failed)
            document = replace(document, arguments={**document.arguments, **facts})
        raise AssertionError("nothing failed")


HEALTHY = dict.fromkeys(ConditionType, Status.TRUE)


@pytest.fixture(scope="session")
def server() -> Iterator[postgresql.PostgreSQL]:
    if not postgresql.available():
        pytest.skip("no PostgreSQL on this machine: `make postgresql` installs it")
    with postgresql.running() as made:
        yield made


@pytest.fixture(scope="session")
def databases(server: postgresql.PostgreSQL) -> Databases:
    return Databases(server.new_database())


New = Callable[..., World]


@pytest.fixture
def new_world(cluster: Cluster, databases: Databases, tmp_path: Path) -> New:
    def made(**more: Any) -> World:
        api = Api(Access(cluster.server.url, cluster.server.ca_file, cluster.token_file()))
        images = {version: {"repository": IMAGE, "tag": version} for version in (OLD, NEW)}
        asked = {"version": "3.2.0", "versions": images, "backups": str(tmp_path / "backups")}
        world = lab_of(World, cluster, databases, api=api, **asked | more)
        api.logs = world.logs
        return world

    return made


@pytest.fixture
def world(new_world: New) -> World:
    return new_world()


def created(world: World) -> Document:
    """A Deployment of the old version that runs."""
    document = new_document(spec={"policy": "strict", "version": OLD}, backup=new_backup())
    world.done(Kind.CREATE, document)
    assert world.conditions(document) == HEALTHY
    return replace(document, before=document.spec)


def new_backup() -> BackupFile:
    return BackupFile(uuid4(), base64.b64encode(streams.new_key()).decode())


def upgraded(document: Document) -> Document:
    """As an operation shall leave it that upgrades it."""
    return replace(document, spec={**document.spec, "version": NEW}, revision=2)


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


def test_without_a_volume_nothing_is_backed_up_and_an_upgrade_does_not_begin(new_world: New) -> None:
    world = new_world(backups=None)
    document = created(world)
    with pytest.raises(StepFailed, match=r"backups\.existingClaim"):
        world.driver.apply("back up", document)
    step, why = world.undone(Kind.UPGRADE, upgraded(document))
    assert step == "preflight" and "no volume for backups" in why and "backups.existingClaim" in why
    assert world.conditions(document) == HEALTHY and world.head(document.slug) == OLD


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


def jobs(world: World, document: Document) -> list[Any]:
    return list(world.cluster.get(f"/apis/batch/v1/namespaces/{namespace_of(document)}/jobs")["items"])


def history(world: World, document: Document) -> list[Any]:
    said = world.cluster.helm(
        *("history", document.slug, "--namespace", namespace_of(document), "--output", "json")
    )
    return list(json.loads(said))
