"""A real Kubernetes API server, the controller's chart in it, and the driver with the rights that the chart gives it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy.engine import URL, make_url

from sentinel import api_server
from sentinel.api_server import BINARIES, ApiServer
from support.installed import ROOT
from support.platform_parts import Time
from tradewind_platform.kubernetes.api import Access, KubernetesApi
from tradewind_platform.kubernetes.driver import KubernetesDriver
from tradewind_platform.kubernetes.helm import Helm
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.reconciler.driver import Document

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
    """What Airflow and the gateway answer."""

    healthy: bool = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if not self.healthy:
            raise httpx.ConnectError("nobody listens")
        health = {name: {"status": "healthy"} for name in ("metadatabase", "scheduler")}
        return httpx.Response(200, json=health)


@dataclass
class Cluster:
    """The server, and the chart of the controller in it."""

    server: ApiServer
    folder: Path

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
                f"/api/v1/namespaces/{OWN}/serviceaccounts/tradewind-controller/token",
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
        answer = self.server.admin.get(f"/api/v1/namespaces/{OWN}/configmaps/tradewind-controller")
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
    databases: FakeDatabases
    airflow: Airflow
    settings: KubernetesSettings

    def complete_the_migration(self, namespace: str) -> None:
        """What the controller of Jobs would write."""
        jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        for job in self.cluster.get(jobs)["items"]:
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
        made.helm(
            *("upgrade", "--install", "tradewind-controller", str(CHARTS / "tradewind-controller")),
            *("--namespace", OWN, "--create-namespace", "--values", "-"),
            values=VALUES,
        )
        yield made


@pytest.fixture
def lab(cluster: Cluster) -> Lab:
    return new_lab(cluster)


def new_lab(cluster: Cluster, **more: Any) -> Lab:
    """A driver as of a controller that has just started."""
    settings, databases, airflow = cluster.settings(**more), FakeDatabases(), Airflow()
    helm = Helm(settings, {"KUBECONFIG": str(cluster.kubeconfig("controller")), "HOME": str(cluster.folder)})
    http = httpx.Client(transport=httpx.MockTransport(airflow))
    driver = KubernetesDriver(settings, cluster.api(), helm, databases, http, Time())  # type: ignore[arg-type]
    return Lab(cluster, driver, databases, airflow, settings)


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
