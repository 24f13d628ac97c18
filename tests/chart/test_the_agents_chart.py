"""The agents' chart: what Helm makes of values is what Kubernetes takes."""

from __future__ import annotations

import json
import re
from typing import Any

import helm_python as helm
import pytest
import yaml

from chart.agents_values import ALTERNATIVES, EVERYTHING, LEAST, part, rendered
from support import charts
from support.charts import environment, pod_of
from support.installed import ROOT
from tradewind_agent.sentinel.settings import SentinelSettings


def test_helm_lint_finds_nothing() -> None:
    found = helm.lint(charts.AGENT, values=LEAST)
    assert [each for each in found["messages"] if each["severity"] > 1] == [], found


@pytest.mark.parametrize("which", ALTERNATIVES)
def test_kubernetes_takes_all_that_is_rendered(which: str) -> None:
    charts.valid(rendered(ALTERNATIVES[which]))


@pytest.mark.skipif(not charts.HELM_3.exists(), reason="Helm 3 is not built: `make kubernetes`")
@pytest.mark.parametrize("which", ALTERNATIVES)
def test_helm_3_makes_the_same_objects_as_helm_4(which: str) -> None:
    made = charts.render_with_helm_3(charts.AGENT, {**LEAST, **ALTERNATIVES[which]}, name="site")
    assert made == rendered(ALTERNATIVES[which])


@pytest.mark.parametrize("which", ALTERNATIVES)
def test_each_pod_passes_the_restricted_profile_with_a_read_only_root(which: str) -> None:
    made = rendered(ALTERNATIVES[which])
    assert {name: charts.not_restricted(pod_of(each)) for name, each in made.workloads().items()} == {
        name: [] for name in made.workloads()
    }


@pytest.mark.parametrize("which", ALTERNATIVES)
def test_rendering_twice_gives_the_same_text(which: str) -> None:
    values = json.dumps({**LEAST, **ALTERNATIVES[which]})
    first, second = (charts.render_text(charts.AGENT, values, "site", "data") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("empty", [None, {}, []])
@pytest.mark.parametrize(
    "key",
    [
        *("settings", "bundles", "secretsBackend", "logs", "openLineage", "traces", "ca", "proxy", "env", "envFrom"),
        *("clientCertificate", "scaler", "sentinel", "doctor", "metrics", "networkPolicy", "logShipper", "rbac"),
        *("commonLabels", "commonAnnotations", "extraObjects", "dagProcessor", "triggerer", "standalone"),
    ],
)  # fmt: skip
def test_an_optional_value_may_be_null_or_empty(key: str, empty: Any) -> None:
    is_list = key in ("bundles", "env", "envFrom", "extraObjects")
    if empty is not None and isinstance(empty, list) != is_list:
        empty = [] if is_list else {}
    assert part(rendered({key: empty}), "default")


def test_an_openshift_cluster_assigns_user_and_groups() -> None:
    made = rendered({"openshift": True})
    context = pod_of(part(made, "default"))["securityContext"]
    assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(context)
    assert not charts.not_restricted(pod_of(part(made, "default")))
    assert pod_of(part(rendered(), "default"))["securityContext"]["runAsUser"] == 50000


def test_only_pods_that_ask_kubernetes_have_a_token_of_it() -> None:
    made = rendered(EVERYTHING)
    have = {name for name, each in made.workloads().items() if pod_of(each)["automountServiceAccountToken"]}
    assert have == {f"site-tradewind-agent-{name}" for name in ("default", "triggerer", "sentinel")}
    for role in made.of("Role").values():
        for rule in role["rules"]:
            assert "secrets" not in rule["resources"]
            assert "*" not in [*rule["resources"], *rule["verbs"]]
    bound = {each["subjects"][0]["name"] for each in made.of("RoleBinding").values()}
    assert bound == have


def test_parts_that_name_one_account_share_it() -> None:
    named = {"serviceAccount": {"name": "airflow-site", "annotations": {"iam": "site"}}}
    made = charts.render(charts.AGENT, {**LEAST, "podDefaults": named, "triggerer": {"kubernetesPods": True}})
    charts.valid(made)
    account = made.only("ServiceAccount")
    assert account["metadata"]["name"] == "airflow-site"
    assert account["metadata"]["annotations"] == {"iam": "site"}
    assert "tradewind.io/part" not in account["metadata"]["labels"]
    assert {pod_of(each)["serviceAccountName"] for each in made.workloads().values()} == {"airflow-site"}
    tokens = {name: pod_of(each)["automountServiceAccountToken"] for name, each in made.workloads().items()}
    assert [name for name, has in tokens.items() if has] == ["site-tradewind-agent-triggerer"]


def test_the_sentinel_knows_each_workload_and_reads_pods_and_events_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = rendered(EVERYTHING)
    for name, value in environment(part(made, "sentinel")).items():
        monkeypatch.setenv(name, value if isinstance(value, str) else "from-elsewhere")
    read = SentinelSettings()  # type: ignore[call-arg]
    told = {each.name: each for each in read.workloads}
    assert set(told) == set(made.workloads()) - {
        "site-tradewind-agent-sentinel",
        "site-tradewind-agent-doctor",
    }
    gpu = told["site-tradewind-agent-gpu"]
    assert (gpu.group, gpu.queues, gpu.least, gpu.most) == ("site/gpu", ("gpu", "train"), 0, 8)
    assert (read.platform, read.namespace, read.pod_deletion_cost) == ("kubernetes", "data", True)
    assert (read.plane_url, read.token) == (LEAST["planeUrl"], None)
    role = made.of("Role")["site-tradewind-agent-sentinel"]
    assert {(each, *rule["verbs"]) for rule in role["rules"] for each in rule["resources"]} == {
        ("pods", "get", "list", "watch"),
        ("events", "get", "list", "watch"),
        ("pods", "patch"),
    }
    assert part(made, "sentinel")["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize(
    ("port", "url"),
    [(443, "https://a.example.com/eu"), (80, "http://a.example.com"), (8443, "https://a.example.com:8443/x")],
)
def test_under_default_deny_an_agent_reaches_the_plane_and_dns_and_only_prometheus_reaches_it(
    port: int, url: str
) -> None:
    prometheus = [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}]
    made = rendered(
        {
            "planeUrl": url,
            "networkPolicy": {"enabled": True, "planeCidrs": ["10.1.0.0/24"], "metricsFrom": prometheus},
        }
    )
    policy = made.only("NetworkPolicy")["spec"]
    for name, workload in made.workloads().items():
        assert (
            policy["podSelector"]["matchLabels"].items()
            <= workload["spec"]["template"]["metadata"]["labels"].items()
        ), name
    plane, dns = policy["egress"]
    assert plane == {
        "ports": [{"port": port, "protocol": "TCP"}],
        "to": [{"ipBlock": {"cidr": "10.1.0.0/24"}}],
    }
    assert {each["port"] for each in dns["ports"]} == {53}
    (metrics,) = policy["ingress"]
    assert (metrics["from"], {each["port"] for each in metrics["ports"]}) == (prometheus, {39091, 39092})
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}


def test_helm_test_is_the_doctor_with_the_environment_of_a_worker() -> None:
    made = rendered({"doctor": {"args": ["--expect-private"]}})
    doctor = made.only("Job")
    assert doctor["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod_of(doctor)["containers"]
    assert container["args"] == ["tradewind-agent", "doctor", "--metrics-port", "0", "--expect-private"]
    assert environment(doctor) == environment(part(made, "default"))


def test_the_alerts_and_the_dashboard_are_those_of_this_repository() -> None:
    made = rendered(EVERYTHING)
    whole = yaml.safe_load((ROOT / "deploy/observability/rules.yml").read_text())["groups"][0]["rules"]
    *own, mine = made.only("PrometheusRule")["spec"]["groups"][0]["rules"]
    assert own == [each for each in whole if re.search("tradewind_(agent|sentinel)_", each["expr"])]
    assert mine == {"alert": "Mine", "expr": "1"}
    shown = made.of("ConfigMap")["site-tradewind-agent-dashboard"]["data"]["tradewind.json"]
    assert json.loads(shown) == json.loads((ROOT / "deploy/observability/dashboard.json").read_text())


def test_the_log_shipper_is_a_sidecar_that_outlives_the_agent() -> None:
    made = rendered(EVERYTHING)
    (sidecar,) = pod_of(part(made, "default"))["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    (state,) = [each for each in sidecar["volumeMounts"] if each["name"] == "state"]
    assert state["readOnly"] is True
    assert "initContainers" not in pod_of(part(made, "triggerer"))


def test_names_have_52_characters_at_most_and_differ_where_they_are_cut() -> None:
    names = set()
    for name in ("a" * 53, "a" * 52 + "b"):
        made = rendered(EVERYTHING, name=name)
        found = {key for kind, key in made if kind != "ConfigMap"}
        assert max(map(len, found)) <= 52
        names |= found
    assert len(names) == 2 * len(found)


def test_what_selects_pods_is_neither_version_nor_image() -> None:
    selector = part(rendered(), "default")["spec"]["selector"]["matchLabels"]
    assert set(selector) == {
        *("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"),
        "tradewind.io/part",
    }
