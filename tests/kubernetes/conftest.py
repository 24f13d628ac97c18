"""One cluster for the session, from images of this checkout: a plane, and two sites in restricted namespaces where all traffic is denied.

`TRADEWIND_TEST_CLUSTER=keep` leaves the cluster running and takes one that runs; `TRADEWIND_TEST_IMAGES=tag` takes images that are built.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support import cluster as clusters
from support.airflow_rest import AirflowRest
from support.cluster import Cluster
from support.cluster_site import EXAMPLES, PLANE, Site, values

HERE = Path(__file__).parent
KEEP = os.environ.get("TRADEWIND_TEST_CLUSTER") == "keep"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("kubernetes")
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if reason := clusters.unavailable():
        pytest.skip(reason)
    made = Cluster()
    made.start()
    try:
        load_images(made)
        yield made
    finally:
        if not KEEP:
            made.stop()


def load_images(cluster: Cluster) -> None:
    """The plane's image, and the site's under two tags: an upgrade changes the tag."""
    tag = os.environ.get("TRADEWIND_TEST_IMAGES", "k8s")
    if "TRADEWIND_TEST_IMAGES" not in os.environ:
        subprocess.run([HERE / "images", tag], check=True)
    containerd = ("ctr", "-a", str(clusters.CACHE / "run/containerd.sock"), "-n", "k8s.io", "images")
    listed = cluster.run(*containerd, "ls", "-q").split()
    for name in ("plane", "site"):
        image = f"localhost/tradewind-{name}:1"
        if image not in listed or "TRADEWIND_TEST_IMAGES" not in os.environ:
            subprocess.run(["buildah", "tag", f"localhost/tradewind-{name}:{tag}", image], check=True)
            cluster.load(image)
    cluster.run(*containerd, "tag", "--force", "localhost/tradewind-site:1", "localhost/tradewind-site:2")


@pytest.fixture(scope="session")
def rest(cluster: Cluster) -> Iterator[AirflowRest]:
    """The plane, signed in as admin."""
    cluster.apply((HERE / "plane.yaml").read_text())
    cluster.kubectl("-n", "plane", "rollout", "status", "deployment/plane", "--timeout=600s")
    passwords = cluster.kubectl(
        "-n",
        "plane",
        "exec",
        "deployment/plane",
        "-c",
        "api-server",
        "--",
        "cat",
        "/var/lib/airflow/passwords.json",
    )
    with (
        cluster.way_to("plane", "plane", 8080) as way,
        httpx.Client(base_url=PLANE, transport=way, timeout=60) as http,
    ):
        answer = http.post(
            "/auth/token", json={"username": "admin", "password": json.loads(passwords)["admin"]}
        )
        answer.raise_for_status()
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield AirflowRest(http)


def answers(http: httpx.Client) -> bool:
    """False, too, until the node has the Service's rules."""
    try:
        return http.get("/api/v2/version").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def frankfurt(cluster: Cluster, rest: AirflowRest) -> Site:
    """A worker, a Dag processor and a triggerer, with Airflow's examples."""
    site = Site(cluster, rest, "frankfurt", values("frankfurt", examples=EXAMPLES))
    if not (KEEP and site.is_installed()):
        site.prepare()
    site.upgrade()
    site.wait_healthy(3)
    rest.wait_for_dags(["load", "hungry", "pods", "tutorial_taskflow_api"], timeout=300)
    return site


@pytest.fixture(scope="session")
def oslo(cluster: Cluster, rest: AirflowRest) -> Site:
    """Another site, one pod for everything."""
    site = Site(
        cluster,
        rest,
        "oslo",
        {
            **values("oslo"),
            "standalone": {"enabled": True, "queues": ["oslo"], "slots": 2, "state": {"type": "emptyDir"}},
        },
    )
    if not (KEEP and site.is_installed()):
        site.prepare()
    site.upgrade()
    site.wait_healthy(1)
    rest.wait_for_dags(["fjord"], timeout=120)
    return site
