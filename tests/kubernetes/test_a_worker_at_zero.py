"""A worker that KEDA scales to zero and back by the plane's queue numbers."""

from __future__ import annotations

import time

import httpx

from support import cluster_keda
from support.airflow_rest import AirflowRest
from support.cluster import wait
from support.cluster_plane import ADDRESS, NAMESPACE
from support.cluster_site import Site

WORKER = "frankfurt-tradewind-agent-default"
SCALED = {"type": "keda", "min": 0, "max": 2, "pollingInterval": 5, "cooldownPeriod": 15}


def test_from_zero_to_one_and_back_by_queue_depth(frankfurt: Site, rest: AirflowRest) -> None:
    cluster = frankfurt.cluster
    cluster_keda.install(cluster)
    cluster.make_secret("frankfurt", "scaler", token=frankfurt.token("scaler", kind="scaler"))
    frankfurt.upgrade(
        {"scaler": {"existingSecret": "scaler"}, "workers": {"default": {"autoscaling": SCALED}}}
    )
    try:
        with cluster_keda.scaling(cluster, "frankfurt", WORKER):
            wait(lambda: not frankfurt.pods(), timeout=180, what=lambda: cluster.about("frankfurt"))
            wait(
                lambda: len(frankfurt.agents("healthy")) == 2,
                timeout=60,
                what=lambda: str(frankfurt.agents()),
            )
            queued = time.monotonic()
            run = rest.trigger("load", conf={"count": 1, "seconds": 40})
            wait(
                lambda: rest.task_state("load", run, "numbers") in ("running", "success"),
                timeout=180,
                what=lambda: cluster.about("frankfurt"),
            )
            took = time.monotonic() - queued
            assert rest.wait_for_run("load", run, timeout=240).state == "success"
            assert len(frankfurt.pods()) == 1, "a pod that runs a task is not taken"
            wait(lambda: not frankfurt.pods(), timeout=180, what=lambda: cluster.about("frankfurt"))
    finally:
        frankfurt.upgrade({"workers": {"default": {"autoscaling": {"type": "none"}}}})
        frankfurt.cluster.kubectl("-n", "frankfurt", "scale", f"deployment/{WORKER}", "--replicas=1")
    frankfurt.wait_healthy(3)
    by = "KEDA" if cluster_keda.is_built() else "a loop that repeats KEDA's requests"
    print(f"\nfrom zero: {took:.1f} s from the trigger of the run to its running task, by {by}")
    assert [pod for word, of, _, pod in frankfurt.marks() if (word, of) == ("began", run)] != []


def test_a_scalers_token_reads_queue_numbers_and_nothing_else(frankfurt: Site) -> None:
    token = {"Authorization": f"Bearer {frankfurt.token('scaler', kind='scaler')}"}
    with (
        frankfurt.cluster.way_to(NAMESPACE, "plane", 8080) as way,
        httpx.Client(transport=way, base_url=ADDRESS, headers=token, timeout=10) as keda,
    ):
        answer = keda.get("/remote-execution/v1/backlog", params={"queue": "default"})
        assert (answer.status_code, set(answer.json()) >= {"work"}) == (200, True)
        assert keda.get("/tradewind/v1/agents").status_code in (401, 403)
