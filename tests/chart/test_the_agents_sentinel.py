"""The sentinel of the agents' chart: what is rendered is what a sentinel reads, with the rights that it needs and no others."""

from __future__ import annotations

from typing import Any

import pytest

from support import charts
from support.charts import environment, not_restricted, pod_of
from tradewind_agent.sentinel import settings as sentinel_settings

VALUES: dict[str, Any] = {
    "planeUrl": "https://airflow.example.com/eu",
    "token": {"existingSecret": "site-token"},
    "siteKey": {"existingSecret": "site-key"},
    "storage": "s3://site@bucket/tradewind",
    "image": {"repository": "registry.example.com/etl", "tag": "7"},
    "scaler": {"existingSecret": "scaler"},
    "workers": {
        "default": {"queues": ["default"], "replicas": 3},
        "gpu": {"queues": ["gpu", "train"], "autoscaling": {"type": "keda", "min": 0, "max": 8}},
    },
    "sentinel": {"enabled": True, "existingSecret": "sentinel"},
}


def rendered(**sentinel: Any) -> charts.Rendered:
    return charts.render(charts.AGENT, {**VALUES, "sentinel": {**VALUES["sentinel"], **sentinel}})


def test_a_sentinel_reads_what_is_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = rendered()[("Deployment", "site-tradewind-agent-sentinel")]
    for name, value in environment(deployment).items():
        if name.startswith(sentinel_settings.PREFIX):
            monkeypatch.setenv(name, value)
    read = sentinel_settings.load({})
    assert read.watches_kubernetes and read.namespace == "data" and str(read.host) == "0.0.0.0"
    found = {one.group: one for one in read.workloads}
    assert (found["site/gpu"].least, found["site/gpu"].most, found["site/gpu"].queues) == (
        0,
        8,
        ("gpu", "train"),
    )
    assert found["site/default"].least == 3
    made = {name for kind, name in rendered() if kind == "Deployment"}
    assert {one.name for one in read.workloads} <= made, "names of Deployments that there are"


def test_it_is_one_pod_that_is_restricted_and_stays_until_the_next_one_runs() -> None:
    deployment = rendered()[("Deployment", "site-tradewind-agent-sentinel")]
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert not_restricted(pod_of(deployment)) == []


def test_its_rights_are_pods_and_events_in_its_namespace_and_nothing_else() -> None:
    watch = {"apiGroups": [""], "resources": ["pods", "events"], "verbs": ["get", "list", "watch"]}
    role = rendered(podDeletionCost=False)[("Role", "site-tradewind-agent-sentinel")]
    assert role["rules"] == [watch]
    weighs = rendered(podDeletionCost=True)[("Role", "site-tradewind-agent-sentinel")]
    assert weighs["rules"] == [watch, {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]
    kinds = {kind for kind, _ in rendered()}
    assert "ClusterRole" not in kinds and "ClusterRoleBinding" not in kinds


def test_it_is_scraped_and_its_canaries_and_its_silence_are_alerts() -> None:
    metrics = {
        "podMonitor": {"enabled": True},
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
    }
    made = charts.render(charts.AGENT, {**VALUES, "metrics": metrics})
    pods, services = made.only("PodMonitor")["spec"], made.only("ServiceMonitor")["spec"]
    assert [one["port"] for one in pods["podMetricsEndpoints"]] == ["metrics", "sentinel"]
    assert [one["port"] for one in services["endpoints"]] == ["metrics", "sentinel"]
    deployment, service = (
        made[(kind, "site-tradewind-agent-sentinel")] for kind in ("Deployment", "Service")
    )
    wanted = pods["selector"]["matchLabels"].items()
    assert wanted <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert wanted <= service["metadata"]["labels"].items()
    (container,) = pod_of(deployment)["containers"]
    assert "sentinel" in {one["name"] for one in container["ports"]}
    alerts = {one["alert"] for one in made.only("PrometheusRule")["spec"]["groups"][0]["rules"]}
    assert {"TradewindSentinelCanaryFails", "TradewindSentinelCannotReport"} <= alerts
    without = charts.render(
        charts.AGENT, {**VALUES, "sentinel": {"enabled": False}, "metrics": {"podMonitor": {"enabled": True}}}
    )
    endpoints = without.only("PodMonitor")["spec"]["podMetricsEndpoints"]
    assert [one["port"] for one in endpoints] == ["metrics"]


def test_a_sentinel_reads_its_token_also_where_tasks_have_a_user_of_their_own() -> None:
    made = charts.render(charts.AGENT, {**VALUES, "taskUser": {"enabled": True}})
    pod = pod_of(made[("Deployment", "site-tradewind-agent-sentinel")])
    assert pod == pod_of(rendered()[("Deployment", "site-tradewind-agent-sentinel")])
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
