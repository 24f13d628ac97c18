"""Pods of workers follow their queues, by KEDA or by an autoscaler of Kubernetes."""

from __future__ import annotations

import pytest

from chart.agents_values import ALTERNATIVES, KEDA, part, rendered


def test_a_budget_is_there_only_where_more_than_one_pod_can_exist() -> None:
    made = rendered(
        {
            "workers": {
                "default": {},
                "two": {"replicas": 2},
                "gpu": {"autoscaling": {"type": "keda", "max": 2}},
            }
        },
        KEDA,
    )
    assert set(made.of("PodDisruptionBudget")) == {"site-tradewind-agent-two", "site-tradewind-agent-gpu"}
    two = made.of("PodDisruptionBudget")["site-tradewind-agent-two"]["spec"]
    assert (two["maxUnavailable"], two["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    assert (
        two["selector"]["matchLabels"].items()
        <= part(made, "two")["spec"]["template"]["metadata"]["labels"].items()
    )


def test_keda_asks_for_the_sum_of_a_workers_queues_and_never_scales_away_what_runs() -> None:
    made = rendered(
        {
            "workers": {
                "gpu": {"queues": ["gpu", "a b"], "slots": 16, "autoscaling": {"type": "keda", "max": 8}}
            }
        },
        KEDA,
    )
    scaled = made.only("ScaledObject")["spec"]
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"] == {
        "url": "https://airflow.example.com/eu/remote-execution/v1/backlog?queue=gpu&queue=a+b&group=site%2Fgpu",
        "format": "json",
        "valueLocation": "work",
        "targetValue": "14",
        "authMode": "bearer",
    }
    assert (trigger["useCachedMetrics"], trigger["metricType"]) == (True, "AverageValue")
    assert "fallback" not in scaled
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (0, 8)
    assert scaled["scaleTargetRef"]["name"] in made.of("Deployment")
    assert "replicas" not in part(made, "gpu")["spec"]
    auth = made.only("TriggerAuthentication")
    assert auth["metadata"]["name"] == trigger["authenticationRef"]["name"]
    assert auth["spec"]["secretTargetRef"] == [{"parameter": "token", "name": "scaler", "key": "token"}]


@pytest.mark.parametrize(("slots", "target"), [(1, "1"), (2, "1"), (10, "9"), (100, "90")])
def test_one_pod_more_is_started_before_an_hpas_tolerance_hides_the_work(slots: int, target: str) -> None:
    made = rendered({"workers": {"default": {"slots": slots, "autoscaling": {"type": "keda"}}}}, KEDA)
    assert made.only("ScaledObject")["spec"]["triggers"][0]["metadata"]["targetValue"] == target


def test_the_sentinel_relays_the_backlog_and_keda_needs_no_token() -> None:
    made = rendered(ALTERNATIVES["the sentinel relays"])
    (trigger,) = made.of("ScaledObject")["site-tradewind-agent-gpu"]["spec"]["triggers"]
    assert trigger["metadata"]["url"].startswith(
        "http://site-tradewind-agent-sentinel.data.svc:39092/backlog?queue="
    )
    assert "authenticationRef" not in trigger and "authMode" not in trigger["metadata"]
    assert not made.of("TriggerAuthentication")
    assert "site-tradewind-agent-sentinel" in made.of("Service")


def test_another_number_of_pods_does_not_replace_those_that_run() -> None:
    """A pod template that changed would: the busy ones would be drained."""
    one, three = (
        part(rendered({"workers": {"default": {"replicas": replicas}}}), "default")["spec"]["template"]
        for replicas in (1, 3)
    )
    assert one == three
    scaled = {"type": "keda", "min": 0, "max": 4, "source": "sentinel"}
    sentinel = {"enabled": True, "existingSecret": "sentinel-token"}
    more = rendered({"workers": {"default": {"autoscaling": scaled}}, "sentinel": sentinel})
    assert part(more, "default")["spec"]["template"] == one
