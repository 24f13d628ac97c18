"""The plane in the test's cluster: a release of its chart, and a PostgreSQL beside the cluster that the lab starts."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from support.airflow_rest import AirflowRest
from support.charts import PLANE as CHART
from support.cluster import Cluster

NAMESPACE = "plane"
ADDRESS = "http://plane.plane.svc.cluster.local:8080"
DATABASE = "postgresql+psycopg2://airflow@192.168.77.1/{name}"
_PASSWORD = "of-a-test"

VALUES: dict[str, Any] = {
    "fullnameOverride": "plane",
    "image": {"repository": "localhost/tradewind-plane", "tag": "1"},
    "publicUrl": ADDRESS,
    "database": {"existingSecret": "database"},
    "keys": {"existingSecret": "keys"},
    "auth": {"users": "admin:admin", "passwords": {"existingSecret": "passwords"}},
    "service": {"port": 8080},
    "apiServer": {"replicas": 1, "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}}},
    "scheduler": {"replicas": 1, "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}}},
    "migration": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}},
    "config": {"scheduler": {"scheduler_heartbeat_sec": 2}},
    "networkPolicy": {"enabled": True, "databaseCidrs": ["192.168.77.1/32"]},
}


class Plane:
    """A release of the plane's chart in a restricted namespace where all traffic is denied but the chart's own."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def prepare(self) -> None:
        """The namespace with its Secrets, and an empty database. Once for a cluster: keys are never made anew."""
        if self.cluster.run("kubectl", "get", "secret", "keys", "-n", NAMESPACE, check=False).startswith(
            "NAME"
        ):
            return
        self.cluster.make_namespace(NAMESPACE)
        name = f"airflow_{os.urandom(4).hex()}"
        self.cluster.database("createdb", name)
        self.cluster.make_secret(NAMESPACE, "database", connection=DATABASE.format(name=name))
        self.cluster.make_secret(NAMESPACE, "passwords", passwords_json=f'{{"admin": "{_PASSWORD}"}}')
        make_keys(self.cluster, NAMESPACE, "keys")

    def upgrade(self, changes: Mapping[str, Any] | None = None) -> None:
        """Install or upgrade, and wait until every pod is ready."""
        self.cluster.helm(
            "upgrade", "--install", "plane", str(CHART), "-n", NAMESPACE, "--wait", "--timeout", "600s",
            values={**VALUES, **(changes or {})},
        )  # fmt: skip

    @contextmanager
    def away(self) -> Iterator[None]:
        """No API server runs inside the context."""
        self.cluster.kubectl("-n", NAMESPACE, "scale", "deployment/plane-api-server", "--replicas=0")
        self.cluster.kubectl(
            "-n", NAMESPACE, "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/component=api-server", "--timeout=120s"
        )  # fmt: skip
        try:
            yield
        finally:
            self.upgrade()

    @contextmanager
    def signed_in(self) -> Iterator[AirflowRest]:
        """Airflow's REST API as admin."""
        with (
            self.cluster.way_to(NAMESPACE, "plane", 8080) as way,
            httpx.Client(base_url=ADDRESS, transport=way, timeout=60) as http,
        ):
            answer = http.post("/auth/token", json={"username": "admin", "password": _PASSWORD})
            answer.raise_for_status()
            http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield AirflowRest(http)


def make_keys(cluster: Cluster, namespace: str, name: str) -> None:
    """The Secret with a plane's keys, as `tradewind plane keys` makes it."""
    cluster.apply(
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace},
            "stringData": {
                "fernet-key": base64.urlsafe_b64encode(os.urandom(32)).decode(),
                "jwt-secret": os.urandom(32).hex(),
                "api-secret-key": os.urandom(32).hex(),
            },
        }
    )  # fmt: skip
