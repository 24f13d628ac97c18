"""One cluster for the session, from images of this checkout: a plane, and two sites in restricted namespaces where all traffic is denied.

`TRADEWIND_TEST_CLUSTER=keep` leaves the cluster running and takes one that runs; `TRADEWIND_TEST_IMAGES=tag` takes images that are built.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import cluster as clusters
from support.airflow_rest import AirflowRest
from support.cluster import Cluster
from support.cluster_plane import Plane
from support.cluster_site import EXAMPLES, Site, values

HERE = Path(__file__).parent
PODS = {"conn_type": "kubernetes", "extra": {"xcom_sidecar_container_image": "localhost/tradewind-site:1"}}
KEEP = os.environ.get("TRADEWIND_TEST_CLUSTER") == "keep"


FIRST = (
    "test_deployments_of_a_platform.py",
    "test_databases_made_by_cloudnativepg.py",
    "test_a_gateway_of_gateway_api.py",
)
"""Modules that have a platform, controllers and planes of their own: they have ended before the session's plane and sites, which stay, use
the node's processors."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("kubernetes")
            item.add_marker(pytest.mark.timeout(1800))
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


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
    """The plane's images, the controller's, and the site's under two tags: an upgrade changes the tag."""
    tag = os.environ.get("TRADEWIND_TEST_IMAGES", "k8s")
    if "TRADEWIND_TEST_IMAGES" not in os.environ:
        subprocess.run([HERE / "images", tag], check=True)
    listed = cluster.run(*clusters.CONTAINERD, "images", "ls", "-q").split()
    for name in ("plane", "plane-oldest", "site", "controller"):
        image = f"localhost/tradewind-{name}:1"
        if image not in listed or "TRADEWIND_TEST_IMAGES" not in os.environ:
            subprocess.run(["buildah", "tag", f"localhost/tradewind-{name}:{tag}", image], check=True)
            cluster.load(image)
    cluster.run(
        *clusters.CONTAINERD,
        "images",
        "tag",
        "--force",
        "localhost/tradewind-site:1",
        "localhost/tradewind-site:2",
    )


@pytest.fixture(scope="session")
def rest(cluster: Cluster) -> Iterator[AirflowRest]:
    """The plane from its chart, signed in as admin."""
    plane = Plane(cluster)
    plane.prepare()
    plane.upgrade()
    with plane.signed_in() as rest:
        yield rest


@pytest.fixture(scope="session")
def frankfurt(cluster: Cluster, rest: AirflowRest) -> Site:
    """A worker, a Dag processor and a triggerer, with Airflow's examples."""
    site = Site(
        cluster,
        rest,
        "frankfurt",
        {**values("frankfurt", examples=EXAMPLES), "env": [{"name": "AIRFLOW_CONN_KUBERNETES_DEFAULT", "value": json.dumps(PODS)}]},
    )  # fmt: skip
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
    rest.wait_for_dags(["fjord", "slow"], timeout=120)
    return site
