"""A cluster's Deployments with databases that are real, against a real API server, Helm and PostgreSQL.

Pods do not run here. What they would do to the database, a Job's end does (`World.ran`), and what they would answer follows from
the replicas that the cluster has.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from controller.conftest import Lab, namespace_of, new_document
from tradewind_platform.domain.health import ConditionType, Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.drivers import clean_up
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.gateway import Route
from tradewind_platform.reconciler.driver import BackupFile, Document, StepFailed
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


New = Callable[..., World]


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


def jobs(world: World, document: Document) -> list[Any]:
    return list(world.cluster.get(f"/apis/batch/v1/namespaces/{namespace_of(document)}/jobs")["items"])


def history(world: World, document: Document) -> list[Any]:
    said = world.cluster.helm(
        *("history", document.slug, "--namespace", namespace_of(document), "--output", "json")
    )
    return list(json.loads(said))
