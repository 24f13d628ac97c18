"""A worker that KEDA scales to zero and back by the plane's queue numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support import cluster_keda
from support.airflow_rest import AirflowRest
from support.cluster import stays, wait
from support.cluster_plane import ADDRESS, NAMESPACE, Plane
from support.cluster_site import Site

WORKER = "frankfurt-tradewind-agent-default"
SCALED: dict[str, Any] = {"type": "keda", "min": 0, "max": 2, "pollingInterval": 5, "cooldownPeriod": 15}


@pytest.fixture(params=["plane", "sentinel"])
def scaled(request: pytest.FixtureRequest, frankfurt: Site) -> Iterator[Site]:
    """The worker is at zero. KEDA asks the plane with a token of its own, or the sentinel, which asks the plane."""
    cluster = frankfurt.cluster
    cluster_keda.install(cluster)
    cluster.make_secret("frankfurt", "scaler", token=frankfurt.token("scaler", kind="scaler"))
    autoscaling = {**SCALED, "source": request.param}
    frankfurt.upgrade(
        {"scaler": {"existingSecret": "scaler"}, "workers": {"default": {"autoscaling": autoscaling}}}
    )
    try:
        with cluster_keda.scaling(cluster, "frankfurt", WORKER):
            wait(lambda: not frankfurt.pods(), timeout=180, what=lambda: cluster.about("frankfurt"))
            wait(
                lambda: len(frankfurt.agents("healthy")) == 2,
                timeout=60,
                what=lambda: str(frankfurt.agents()),
            )
            yield frankfurt
    finally:
        frankfurt.upgrade({"workers": {"default": {"autoscaling": {"type": "none"}}}})
        cluster.kubectl("-n", "frankfurt", "scale", f"deployment/{WORKER}", "--replicas=1")
        frankfurt.wait_healthy(3)


def test_from_zero_to_one_and_back_by_queue_depth(scaled: Site, rest: AirflowRest) -> None:
    """While the plane is away, for longer than KEDA waits before zero, the pod that runs a task stays."""
    cluster = scaled.cluster
    queued = time.monotonic()
    run = rest.trigger("load", conf={"count": 1, "seconds": 90})
    wait(
        lambda: rest.task_state("load", run, "numbers") in ("running", "success"),
        timeout=180,
        what=lambda: cluster.about("frankfurt"),
    )
    took = time.monotonic() - queued
    by = "KEDA" if cluster_keda.is_built() else "a loop that repeats KEDA's requests"
    print(f"\nfrom zero: {took:.1f} s from the trigger of the run to its running task, by {by}")
    wait(lambda: scaled.has_marked("began", run), timeout=120, what=lambda: cluster.about("frankfurt"))
    (pod,) = scaled.pods()
    with Plane(cluster).away():
        stays(
            lambda: [each["metadata"]["uid"] for each in scaled.pods()] == [pod["metadata"]["uid"]],
            seconds=2 * SCALED["cooldownPeriod"],
            what=lambda: cluster.about("frankfurt"),
        )
    done = rest.wait_for_run("load", run, timeout=240)
    assert (done.state, set(done.tries.values())) == ("success", {1}), done
    (after,) = scaled.pods()
    assert after["metadata"]["uid"] == pod["metadata"]["uid"], "a pod that runs a task is not taken"
    wait(lambda: not scaled.pods(), timeout=180, what=lambda: cluster.about("frankfurt"))


@pytest.mark.parametrize("scaled", ["plane"], indirect=True)
def test_a_scaler_whose_token_was_replaced_goes_on_scaling(scaled: Site, rest: AirflowRest) -> None:
    """KEDA keeps the token that it read first, until the plane refuses it."""
    tokens = rest.http.get("/tradewind/v1/tokens", params={"limit": 500}).raise_for_status().json()["items"]
    before = [each["id"] for each in tokens if each["name"].startswith("frankfurt-scaler-")]
    assert before
    scaled.cluster.make_secret("frankfurt", "scaler", token=scaled.token("scaler", kind="scaler"))
    for each in before:
        rest.http.delete(f"/tradewind/v1/tokens/{each}").raise_for_status()
    run = rest.trigger("load", conf={"count": 1, "seconds": 1})
    wait(
        lambda: scaled.has_marked("began", run),
        timeout=180,
        what=lambda: scaled.cluster.about("frankfurt"),
    )


def test_a_scalers_token_reads_queue_numbers_and_nothing_else(frankfurt: Site) -> None:
    token = {"Authorization": f"Bearer {frankfurt.token('scaler', kind='scaler')}"}
    with (
        frankfurt.cluster.way_to(NAMESPACE, "plane", 8080) as way,
        httpx.Client(transport=way, base_url=ADDRESS, headers=token, timeout=10) as keda,
    ):
        answer = keda.get("/remote-execution/v1/backlog", params={"queue": "default"})
        assert (answer.status_code, set(answer.json()) >= {"work"}) == (200, True)
        assert keda.get("/tradewind/v1/agents").status_code in (401, 403)
