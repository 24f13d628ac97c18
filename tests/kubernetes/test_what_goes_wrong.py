"""Troubles of a site's pods, provoked one after the other: within a minute the owner reads each one's cause and remedy at the plane."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from support.airflow_rest import AirflowRest
from support.cluster import Cluster, wait
from support.cluster_site import SHARED, Site, values
from tradewind_protocol import ids

WITHIN = 60.0
CLAIM = "state-bergen-tradewind-agent-standalone-0"
HEALTHY: dict[str, Any] = {
    "image": {"tag": "1"},
    "siteKey": {"existingSecret": "site-key"},
    "standalone": {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1200Mi"}}},
}  # fmt: skip


@pytest.fixture(scope="module")
def bergen(cluster: Cluster, rest: AirflowRest) -> Iterator[Site]:
    """A site of one pod and a sentinel, whose agent does nothing."""
    one = {
        "enabled": True,
        "queues": ["bergen"],
        "slots": 1,
        "state": {"type": "emptyDir", "sizeLimit": "40Mi"},
    }
    site = Site(cluster, rest, "bergen", {**values("bergen"), "standalone": one})
    site.prepare()
    site.upgrade(HEALTHY)
    site.wait_healthy(1)
    yield site
    cluster.helm("uninstall", "bergen", "-n", "bergen")


@pytest.fixture(autouse=True)
def well(bergen: Site) -> Iterator[None]:
    """After each trouble its remedy, which ends the finding."""
    yield
    bergen.upgrade(HEALTHY)


def test_an_image_that_cannot_be_pulled(bergen: Site) -> None:
    (before,) = bergen.pods("standalone")
    bergen.upgrade({"image": {"tag": "nowhere"}}, wait_for_it=False)
    found = bergen.finding("image_pull", within=WITHIN)
    assert found["cause"] in ("the node does not reach the registry", "the registry does not have the image")
    assert found["remedy"]
    assert "nowhere" not in found["evidence"], "an image's name stays at the site"
    assert before["metadata"]["uid"] in {each["metadata"]["uid"] for each in bergen.pods("standalone")}, (
        "what runs goes on"
    )


def test_a_secret_that_does_not_exist(bergen: Site) -> None:
    bergen.upgrade({"siteKey": {"existingSecret": "not-there"}}, wait_for_it=False)
    found = bergen.finding("volume_mount", within=WITHIN)
    assert "not-there" in found["evidence"]
    assert found["remedy"] == "Create the Secret, ConfigMap or claim that is named; see the storage driver"


def test_a_token_that_the_plane_does_not_take(bergen: Site) -> None:
    bergen.cluster.make_secret("bergen", "site-token", token=ids.new_secret(ids.AGENT_TOKEN_PREFIX))
    try:
        for pod in bergen.pods("standalone"):
            bergen.cluster.kubectl("-n", "bergen", "delete", "pod", pod["metadata"]["name"], "--wait=false")
        found = bergen.finding("crash_loop", "restarted", within=WITHIN)
        assert found["cause"] == "the plane refuses this agent for good", found
        assert "token" in found["remedy"]
    finally:
        bergen.cluster.make_secret("bergen", "site-token", token=bergen.token("again"))
        bergen.cluster.kubectl("-n", "bergen", "delete", "pod", "-l", "tradewind.io/part=standalone")


def test_a_memory_limit_that_is_too_low(bergen: Site) -> None:
    bergen.upgrade(
        {"standalone": {"resources": {"requests": {"memory": "24Mi"}, "limits": {"memory": "24Mi"}}}}, wait_for_it=False
    )  # fmt: skip
    found = bergen.finding("out_of_memory", within=WITHIN)
    assert found["cause"] == "the container was killed because it used up its memory limit"
    assert "limit 24Mi" in found["evidence"]


def test_a_pod_that_no_node_takes(bergen: Site) -> None:
    bergen.upgrade({"standalone": {"resources": {"requests": {"cpu": "64"}}}}, wait_for_it=False)
    found = bergen.finding("unschedulable", within=WITHIN)
    assert "Insufficient cpu" in found["evidence"]
    assert found["remedy"] == "Lower the requests (resources.requests), or add nodes"


def test_a_quota_that_is_used_up(bergen: Site) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": "bergen"},
        "spec": {"hard": {"pods": "2"}},
    }
    bergen.cluster.apply(quota)
    try:
        bergen.upgrade({"standalone": {"podAnnotations": {"trouble": "quota"}}}, wait_for_it=False)
        found = bergen.finding("quota", within=WITHIN)
        assert "exceeded quota: q" in found["evidence"]
        assert "ResourceQuota" in found["remedy"]
    finally:
        bergen.cluster.kubectl("-n", "bergen", "delete", "resourcequota", "q")


def test_a_volume_that_grows_over_its_limit(bergen: Site) -> None:
    """The kubelet evicts the pod; its Deployment makes another."""
    (pod,) = bergen.pods("standalone")
    bergen.cluster.kubectl(
        "-n", "bergen", "exec", pod["metadata"]["name"], "--", "dd", "if=/dev/zero", "of=/var/lib/tradewind/x", "bs=1M", "count=60"
    )  # fmt: skip
    # The kubelet measures volumes every one to two minutes: volume_stat_calculator.go, a period of a minute with a jitter of one.
    found = bergen.finding("evicted", within=WITHIN + 120)
    assert found["cause"] == "the pod used more disk than its limit allows, and was evicted", found
    bergen.wait_healthy(1)
    bergen.cluster.kubectl("-n", "bergen", "delete", "pod", "--field-selector=status.phase=Failed")


def test_a_full_disk(bergen: Site, cluster: Cluster) -> None:
    """A small file system behind a claim: the agent itself names it, and goes on when there is room again."""
    small = SHARED / "small"
    small.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=230m,mode=0777", "small", str(small)], check=True)
    cluster.apply(
        {
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "small"},
            "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "", "hostPath": {"path": str(small)},
                     "claimRef": {"namespace": "bergen", "name": CLAIM}},
        }
    )  # fmt: skip
    try:
        bergen.upgrade({"standalone": {"state": {"type": "claim", "size": "1Gi"}}})
        bergen.wait_healthy(1)
        (small / "x").write_bytes(bytes(200 << 20))

        def named() -> list[dict[str, Any]]:
            return [
                each for agent in bergen.agents() for each in agent["findings"] if each["check"] == "disk"
            ]

        wait(lambda: bool(named()), timeout=WITHIN + 30, what=lambda: str(bergen.agents()))
        assert "is free where /var/lib/tradewind is" in named()[0]["message"]
        assert named()[0]["remedy"]
        (small / "x").unlink()
        wait(lambda: not named(), timeout=120, what=lambda: str(bergen.agents()))
    finally:
        bergen.upgrade({"standalone": {"state": {"type": "emptyDir"}}})
        cluster.kubectl("-n", "bergen", "delete", "pvc", CLAIM)
        cluster.kubectl("delete", "pv", "small", "--ignore-not-found")
        subprocess.run(["umount", str(small)], check=True)
