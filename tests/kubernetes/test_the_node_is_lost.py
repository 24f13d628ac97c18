"""The node stops answering. In a cluster of one node, its plane loses the endpoints of its Service as well."""

from __future__ import annotations

import json
import os
import signal
import subprocess

from support import cluster as clusters
from support.cluster import LAB, NODE, Cluster, wait
from support.cluster_load import Load
from support.cluster_site import Site


def stop_kubelet() -> None:
    os.kill(int((clusters.CACHE / "run/pids/kubelet").read_text()), signal.SIGTERM)


def start_kubelet() -> None:
    subprocess.run([LAB / "up"], check=True)


def is_ready(cluster: Cluster) -> bool:
    conditions = cluster.get("node", NODE)["status"]["conditions"]
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)


def test_a_node_that_does_not_answer_costs_no_task_and_is_named(frankfurt: Site) -> None:
    cluster = frankfurt.cluster
    load = Load(frankfurt, count=4, seconds=45, running=4)
    (sentinel,) = frankfurt.pods("sentinel")
    address = sentinel["status"]["podIP"]

    def found() -> set[tuple[str, str]]:
        """As the sentinel says on its own port: the plane does not hear it now."""
        said = cluster.run(
            "curl", "--silent", "--max-time", "5", f"http://{address}:39092/status", check=False
        )
        report = json.loads(said or "{}").get("report") or {"findings": []}
        return {(each["check"], each["cause"]) for each in report["findings"]}

    stop_kubelet()
    try:
        wait(lambda: not is_ready(cluster), timeout=120, what="the node is still ready")
        took = wait(
            lambda: ("node_lost", "the pod's node does not answer") in found(),
            timeout=60,
            what=lambda: f"{found()}",
        )
        print(f"\nnode_lost after {took:.0f} s")
        assert took <= 60
    finally:
        start_kubelet()
    wait(lambda: is_ready(cluster), timeout=60, what="the node is not ready again")
    load.all_ran_once()
    frankfurt.wait_healthy(3)
