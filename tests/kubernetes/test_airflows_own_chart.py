"""A release of Apache Airflow's own chart is a plane by the values of its page."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import yaml

from support import cluster as clusters
from support.airflow_rest import AirflowRest
from support.cluster import Cluster
from support.cluster_plane import DATABASE, make_keys
from support.cluster_site import Site, merged, values
from support.installed import ROOT

CHART = clusters.CACHE / "charts/airflow-1.22.0.tgz"
NAMESPACE = "official"
ADDRESS = f"http://airflow-api-server.{NAMESPACE}.svc.cluster.local:8080"
TRIAL: dict[str, Any] = {
    "images": {"airflow": {"repository": "localhost/tradewind-plane", "tag": "1"}},
    "config": {
        "core": {
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "simple_auth_manager_all_admins": "True",
        },
        "api": {"base_url": ADDRESS},
        "tradewind": {"agent_url": ADDRESS},
    },
}


def values_of_the_page() -> dict[str, Any]:
    page = (ROOT / "docs/how-to/plane-with-airflows-chart.md").read_text()
    found = re.search(r"## Values\n.*?```yaml\n(.*?)```", page, re.DOTALL)
    assert found
    return dict(yaml.safe_load(found[1]))


@pytest.fixture
def official(cluster: Cluster) -> Iterator[AirflowRest]:
    """The release, and its REST API."""
    if not CHART.exists():
        pytest.skip(f"no {CHART}: `make kubernetes` fetches it where there is a way to airflow.apache.org")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    name = f"official_{os.urandom(4).hex()}"
    cluster.database("createdb", name)
    cluster.make_secret(NAMESPACE, "plane-database", connection=DATABASE.format(name=name))
    make_keys(cluster, NAMESPACE, "plane-keys")
    cluster.helm(
        "install", "airflow", str(CHART), "-n", NAMESPACE, "--wait", "--timeout", "600s",
        values=merged(values_of_the_page(), TRIAL),
    )  # fmt: skip
    try:
        with signed_in(cluster) as rest:
            yield rest
    finally:
        cluster.helm("uninstall", "airflow", "-n", NAMESPACE)


@contextmanager
def signed_in(cluster: Cluster) -> Iterator[AirflowRest]:
    with (
        cluster.way_to(NAMESPACE, "airflow-api-server", 8080) as way,
        httpx.Client(base_url=ADDRESS, transport=way, timeout=60) as http,
    ):
        token = http.get("/auth/token").raise_for_status().json()["access_token"]
        http.headers["Authorization"] = f"Bearer {token}"
        yield AirflowRest(http)


def test_a_release_of_airflows_chart_is_a_plane_by_the_values_of_its_page(
    cluster: Cluster, official: AirflowRest
) -> None:
    one = {"enabled": True, "queues": ["narvik"], "slots": 2, "state": {"type": "emptyDir"}}
    way = {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}],
        "ports": [{"port": 8080}],
    }
    site = Site(
        cluster,
        official,
        "narvik",
        {**values("narvik"), "planeUrl": ADDRESS, "standalone": one, "networkPolicy": {"enabled": True, "extraEgress": [way]}},
    )  # fmt: skip
    site.prepare()
    site.upgrade()
    try:
        site.wait_healthy(1)
        official.wait_for_dags(["ore"], timeout=120)
        done = official.run("ore", timeout=180)
        assert done.state == "success", (done, cluster.about("narvik"))
    finally:
        cluster.helm("uninstall", "narvik", "-n", "narvik")
