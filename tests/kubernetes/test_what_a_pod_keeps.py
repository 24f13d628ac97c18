"""Outcomes that the plane has not heard: a pod's `emptyDir` keeps them when its container dies, a claim when the pod does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.airflow_rest import AirflowRest
from support.cluster import Cluster, wait
from support.cluster_plane import Plane
from support.cluster_site import SHARED, Site

FOLDER = SHARED / "kept"
CLAIM = "state-oslo-tradewind-agent-standalone-0"


@pytest.fixture
def volume(cluster: Cluster, oslo: Site) -> Iterator[None]:
    """For the claim of the pod, which has none afterwards."""
    FOLDER.mkdir(exist_ok=True)
    FOLDER.chmod(0o777)
    cluster.apply(
        {
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "kept"},
            "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "", "hostPath": {"path": str(FOLDER)},
                     "claimRef": {"namespace": "oslo", "name": CLAIM}},
        }
    )  # fmt: skip
    yield
    oslo.upgrade({"standalone": {"state": {"type": "emptyDir"}}})
    cluster.kubectl("-n", "oslo", "delete", "pvc", CLAIM, "--ignore-not-found")
    cluster.kubectl("delete", "pv", "kept")


@pytest.mark.parametrize("kind", ["emptyDir", "claim"])
def test_an_outcome_that_waits_is_kept(oslo: Site, rest: AirflowRest, volume: None, kind: str) -> None:
    cluster = oslo.cluster
    oslo.upgrade({"standalone": {"state": {"type": kind, "size": "1Gi"}}})
    oslo.wait_healthy(1)
    run = rest.trigger("slow")
    (pod,) = oslo.pods("standalone")
    wait(lambda: oslo.has_marked("began", run), timeout=120, what=lambda: cluster.about("oslo"))
    with Plane(cluster).away():
        wait(lambda: oslo.has_marked("ended", run), timeout=120, what=lambda: cluster.about("oslo"))
        if kind == "emptyDir":
            cluster.kill_container(pod)
        else:
            cluster.kubectl(
                "-n", "oslo", "delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force"
            )
    done = rest.wait_for_run("slow", run, timeout=240)
    assert (done.state, done.tries) == ("success", {("sleeps", -1): 1}), (done, cluster.about("oslo"))
    (after,) = oslo.pods("standalone")
    same = after["metadata"]["uid"] == pod["metadata"]["uid"]
    assert same == (kind == "emptyDir"), "the container restarted in its pod, or the pod was replaced"
