"""Tasks with a user of their own in a pod, and pods with a user that no image knows, as OpenShift gives them."""

from __future__ import annotations

from typing import Any

from support.airflow_rest import AirflowRest
from support.cluster import Cluster
from support.cluster_plane import Plane
from support.cluster_site import Site, values

ASSIGNED = {"runAsUser": 1000680000, "fsGroup": 1000680000}
"""What the security context constraint `restricted-v2` puts into a pod that names neither."""


def test_tasks_have_a_user_of_their_own_and_read_nothing_of_the_agents(
    cluster: Cluster, rest: AirflowRest
) -> None:
    one = {"enabled": True, "queues": ["tromso"], "slots": 2, "state": {"type": "emptyDir"}}
    site = Site(
        cluster, rest, "tromso", {**values("tromso"), "standalone": one, "taskUser": {"enabled": True}}
    )
    site.prepare(profile="baseline")
    site.upgrade()
    try:
        site.wait_healthy(1)
        rest.wait_for_dags(["apart"], timeout=120)
        done = rest.run("apart", timeout=180)
        assert done.state == "success", (done, cluster.about("tromso"))
    finally:
        cluster.helm("uninstall", "tromso", "-n", "tromso")


def test_a_site_runs_as_a_user_that_its_image_does_not_know(oslo: Site, rest: AirflowRest) -> None:
    oslo.upgrade({"openshift": "true", "podDefaults": {"podSecurityContext": ASSIGNED}})
    try:
        oslo.wait_healthy(1)
        assert users(oslo.pods("standalone")) == users(oslo.pods("sentinel")) == {ASSIGNED["runAsUser"]}
        assert rest.run("fjord", timeout=180).state == "success", oslo.cluster.about("oslo")
    finally:
        oslo.upgrade({"openshift": "auto", "podDefaults": {"podSecurityContext": None}})


def test_a_plane_runs_as_a_user_that_its_image_does_not_know(cluster: Cluster, rest: AirflowRest) -> None:
    plane = Plane(cluster)
    plane.upgrade({"openshift": "true", "pods": {"podSecurityContext": ASSIGNED}})
    try:
        assert users(cluster.pods("plane")) == {ASSIGNED["runAsUser"]}
        assert rest.http.get("/tradewind/v1/agents").status_code == 200
    finally:
        plane.upgrade()


def users(pods: list[dict[str, Any]]) -> set[int | None]:
    return {
        each["spec"]["securityContext"].get("runAsUser")
        for each in pods
        if each["status"]["phase"] != "Succeeded"
    }
