"""A real Kubernetes API server, the controller's chart in it, and the driver with the rights that the chart gives it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
from sqlalchemy.engine import URL, make_url

from sentinel import api_server
from sentinel.api_server import BINARIES, ApiServer
from support.installed import ROOT
from tradewind_platform.domain.operations import Kind
from tradewind_platform.kubernetes.api import Access, KubernetesApi
from tradewind_platform.kubernetes.driver import KubernetesDriver
from tradewind_platform.kubernetes.gateway import Route, routes_of
from tradewind_platform.kubernetes.helm import Helm
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.reconciler.driver import Document, StepFailed, StepWaits
from tradewind_protocol import paths

CHARTS = ROOT / "deploy/helm"
HELM = BINARIES / "helm"
OWN = "tradewind"
VALUES: dict[str, Any] = {
    "image": {"repository": "registry.example.com/tradewind-controller"},
    "plane": {"image": {"repository": "registry.example.com/tradewind-plane", "tag": "7"}},
    "platform": {"url": "https://platform.example.com", "token": "tw_cluster_none"},
    "database": {"existingSecret": "deployments-database"},
    "gateway": {
        "agentsHost": "c2345abc.external.example.com",
        "peopleDomain": "c2345abc.apps.example.com",
        "tlsSecret": "gateway-tls",
    },
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))


@dataclass
class FakeDatabases:
    """A PostgreSQL for Deployments: which have a database there."""

    made: set[str] = field(default_factory=set)

    def ensure(self, slug: str, password: str) -> None:
        self.made.add(slug)

    def erase(self, slug: str) -> None:
        self.made.discard(slug)

    def url(self, slug: str, password: str) -> URL:
        return make_url(f"postgresql+psycopg2://{slug}:{password}@db.example.com/{slug}")


@dataclass
class Airflow:
    """What the Airflows and the gateway of a cluster answer, as far as their pods would run."""

    cluster: Cluster
    agents: dict[str, str] = field(default_factory=dict)
    """The state of each agent, by its id."""
    running: list[str] = field(default_factory=list)
    """The labels of attempts that run."""
    evicted: bool = False
    """The pods of API servers are gone, and others are not there yet."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        host, path = request.url.host, request.url.path
        if host.startswith(("tradewind-controller-gateway.", "c2345abc.")):
            return self._gateway(path.split("/")[1])
        slug, namespace = host.split(".")[:2]
        if self.evicted or self._replicas(namespace, f"{slug}-api-server") == 0:
            raise httpx.ConnectError("nobody listens")
        if path == "/api/v2/monitor/health":
            beats = self._replicas(namespace, f"{slug}-scheduler") > 0
            return httpx.Response(
                200,
                json={
                    "metadatabase": {"status": "healthy"},
                    "scheduler": {"status": "healthy" if beats else "unhealthy"},
                },
            )
        assert request.headers["authorization"].startswith("Bearer "), "as the platform"
        return self._operator(path.removeprefix(paths.OPERATOR_PREFIX))

    def _gateway(self, slug: str) -> httpx.Response:
        route = self.routes().get(slug)
        if route is None:
            return httpx.Response(404, text="404 page not found")
        if route.closed:
            return httpx.Response(503, json={"detail": {"reason": f"deployment_{route.closed}"}})
        serves = self._replicas(f"tradewind-{slug}", f"{slug}-api-server") > 0
        return httpx.Response(200 if serves else 502)

    def routes(self) -> Mapping[str, Route]:
        """What the gateway of the chart is told."""
        cluster = self.cluster
        found = cluster.get(f"/api/v1/namespaces/{cluster.own}/configmaps/{cluster.release}-gateway")
        return routes_of(found["data"]["gateway.toml"])

    def _operator(self, path: str) -> httpx.Response:
        if path == "/agents":
            items = [{"id": id, "name": id, "state": state} for id, state in self.agents.items()]
            return httpx.Response(200, json={"items": items})
        if path == "/attempts":
            return httpx.Response(200, json={"items": [{"id": one, "label": one} for one in self.running]})
        _, _, agent, verb = path.split("/")
        if agent not in self.agents:
            return httpx.Response(404)
        self.agents[agent] = {"cordon": "cordoned", "resume": "healthy"}[verb]
        return httpx.Response(200, json={})

    def _replicas(self, namespace: str, name: str) -> int:
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
        answer = self.cluster.server.admin.get(path)
        return int(answer.json()["spec"]["replicas"]) if answer.status_code == 200 else 0


@dataclass
class Cluster:
    """The server, and the chart of the controller in it."""

    server: ApiServer
    folder: Path
    own: str = OWN
    """The namespace of the controller."""

    def install(self, values: Mapping[str, Any]) -> None:
        """The controller's chart. The name of the release is that of the service account, too."""
        self.helm(
            *("upgrade", "--install", self.release, str(CHARTS / "tradewind-controller")),
            *("--namespace", self.own, "--create-namespace", "--values", "-"),
            values=values,
        )

    @property
    def release(self) -> str:
        return f"{self.own}-controller"

    def helm(self, *arguments: str, values: Any = None, check: bool = True) -> str:
        """Helm as the administrator."""
        return run_helm(self.kubeconfig("admin"), *arguments, values=values, check=check)

    def kubeconfig(self, who: str) -> Path:
        file = self.folder / f"{who}.kubeconfig"
        if not file.exists():
            folder = self.server.ca_file.parent
            user: dict[str, Any] = {
                "client-certificate": str(folder / "admin.crt"),
                "client-key": str(folder / "admin.key"),
            }
            if who != "admin":
                user = {"tokenFile": str(self.token_file())}
            ca = {"server": self.server.url, "certificate-authority": str(self.server.ca_file)}
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": ca}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
            file.write_text(json.dumps(config))
        return file

    def token_file(self) -> Path:
        """A token of the controller's service account."""
        file = self.folder / "token"
        if not file.exists():
            made = self.server.make(
                f"/api/v1/namespaces/{self.own}/serviceaccounts/{self.release}/token",
                {
                    "apiVersion": "authentication.k8s.io/v1",
                    "kind": "TokenRequest",
                    "spec": {"expirationSeconds": 7200},
                },
            )
            file.write_text(made["status"]["token"])
        return file

    def settings(self, **more: Any) -> KubernetesSettings:
        """As the chart writes them."""
        answer = self.server.admin.get(f"/api/v1/namespaces/{self.own}/configmaps/{self.release}")
        written = json.loads(answer.json()["data"]["settings.json"])
        written |= {"helm": str(HELM), "chart": str(CHARTS / "tradewind-plane"), "probe_seconds": 60}
        return KubernetesSettings.model_validate(written | more)

    def api(self) -> KubernetesApi:
        """As the controller asks."""
        return KubernetesApi(Access(self.server.url, self.server.ca_file, self.token_file()))

    def get(self, path: str) -> dict[str, Any]:
        answer = self.server.admin.get(path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@dataclass
class Lab:
    """A driver, and what its tests look at."""

    cluster: Cluster
    driver: KubernetesDriver
    databases: Any
    airflow: Airflow
    settings: KubernetesSettings

    def complete_the_jobs(self, namespace: str) -> None:
        """What the controller of Jobs would write: each that there is has completed."""
        jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        for job in self.cluster.get(jobs)["items"]:
            if job.get("status", {}).get("conditions"):
                continue
            self.ran(job)
            at = "2026-03-01T12:00:00Z"
            conditions = [
                {"type": kind, "status": "True", "lastTransitionTime": at}
                for kind in ("SuccessCriteriaMet", "Complete")
            ]
            status = {"startTime": at, "completionTime": at, "succeeded": 1, "conditions": conditions}
            answer = self.cluster.server.admin.patch(
                f"{jobs}/{job['metadata']['name']}/status",
                content=json.dumps({"status": status}),
                headers={"Content-Type": "application/merge-patch+json"},
            )
            assert answer.status_code == 200, answer.text

    def ran(self, job: Any) -> None:
        """What a Job has done to the database."""

    def apply(self, step: str, document: Document) -> Mapping[str, Any]:
        """Do a step as the reconciler does: again while it waits. Rights in a new namespace take a moment to be known.
        Returns its facts."""
        until = time.monotonic() + 60
        while True:
            try:
                return self.driver.apply(step, document) or {}
            except StepWaits:
                self.complete_the_jobs(namespace_of(document))
            except StepFailed as failed:
                if "forbidden" not in str(failed) or time.monotonic() > until:
                    raise
            time.sleep(0.2)

    def done(self, kind: Kind, document: Document, *, times: int = 1) -> Document:
        """Every step of an operation, each so often. Returns the document with what the steps have said."""
        for step in self.driver.steps(kind):
            for _ in range(times):
                facts = self.apply(step, document)
            document = replace(document, arguments={**document.arguments, **facts})
        return document


def namespace_of(document: Document) -> str:
    return f"tradewind-{document.slug}"


def run_helm(kubeconfig: Path, *arguments: str, values: Any = None, check: bool = True) -> str:
    done = subprocess.run(
        [HELM, *arguments],
        env={"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent)},
        input="" if values is None else json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if why := api_server.missing() or ("" if HELM.exists() else f"no helm in {BINARIES}"):
        pytest.skip(why)
    with api_server.running(tmp_path_factory.mktemp("kubernetes")) as server:
        made = Cluster(server, tmp_path_factory.mktemp("controller"))
        made.install(VALUES)
        yield made


@pytest.fixture
def lab(cluster: Cluster) -> Lab:
    return new_lab(cluster)


def new_lab(cluster: Cluster, **more: Any) -> Lab:
    """A driver as of a controller that has just started."""
    return lab_of(Lab, cluster, FakeDatabases(), **more)


L = TypeVar("L", bound=Lab)


def lab_of(
    kind: type[L],
    cluster: Cluster,
    databases: Any,
    *,
    api: KubernetesApi | None = None,
    answers: type[Airflow] = Airflow,
    **more: Any,
) -> L:
    """A driver with these databases."""
    settings, airflow = cluster.settings(**more), answers(cluster)
    environment = {
        "KUBECONFIG": str(cluster.kubeconfig("controller")),
        "HOME": str(cluster.folder),
        "PATH": os.environ["PATH"],
    }
    driver = KubernetesDriver(
        settings,
        api or cluster.api(),
        Helm(settings, environment),
        databases,
        httpx.Client(transport=httpx.MockTransport(airflow)),
    )
    return kind(cluster, driver, databases, airflow, settings)


def new_document(**more: Any) -> Document:
    """A Deployment of its own for each test."""
    id = uuid4()
    slug = "d" + id.hex[:7]
    asked: dict[str, Any] = {
        "id": id,
        "slug": slug,
        "number": 1,
        "name": "sales",
        "revision": 1,
        "spec": {"policy": "strict"},
        "agent_url": f"https://c2345abc.external.example.com/{slug}",
        "people_url": f"https://{slug}.c2345abc.apps.example.com",
        "secrets": {
            name: f"canary-{name}-{id.hex}"
            for name in ("fernet", "jwt", "api", "database_password", "platform_credential")
        },
    }
    return Document(**(asked | more))
