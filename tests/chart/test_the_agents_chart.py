"""The agents' chart: what Helm makes of values is what Kubernetes takes and what an agent reads."""

from __future__ import annotations

import json
import re
from typing import Any

import helm_python as helm
import pytest
import yaml

from support import charts
from support.charts import environment, pod_of
from support.installed import ROOT
from tradewind_agent.sentinel.settings import SentinelSettings
from tradewind_agent.settings import EnvironmentSettings, SealSettings, Settings
from tradewind_provider.domain.recipes import Bundle, RecipeRequest, Versions, recipes

LEAST: dict[str, Any] = {
    "planeUrl": "https://airflow.example.com/eu",
    "token": {"existingSecret": "site-token"},
    "siteKey": {"existingSecret": "site-key"},
    "storage": "s3://site@bucket/tradewind",
    "image": {"repository": "registry.example.com/etl", "tag": "7"},
}
GIT = {
    "name": "dags",
    "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
    "kwargs": {"repo_url": "https://git.example.com/team/dags.git", "tracking_ref": "main"},
}
KEDA = {"scaler": {"existingSecret": "scaler"}}
EVERYTHING: dict[str, Any] = {
    "bundles": [GIT],
    "secretsBackend": {"class": "airflow.providers.hashicorp.secrets.vault.VaultBackend", "kwargs": {"url": "https://vault"}},
    "logs": {"remote": "s3://bucket/logs", "connection": "site", "container": "site", "uploadEvery": 60},
    "openLineage": {"url": "https://lineage", "namespace": "eu", "existingSecret": "lineage"},
    "traces": {"endpoint": "http://collector:4318", "existingSecret": "collector"},
    "ca": {"configMap": "company-ca", "alsoForTasks": True},
    "proxy": {"existingSecret": "company-proxy", "noProxy": ["10.0.0.0/8"]},
    "clientCertificate": {"existingSecret": "client"},
    "env": [{"name": "AWS_REGION", "value": "eu-1"}],
    "envFrom": [{"secretRef": {"name": "more"}}],
    "image": {**LEAST["image"], "digest": "sha256:" + "0" * 64, "pullSecrets": [{"name": "pull"}]},
    "podDefaults": {
        "hostAliases": [{"ip": "10.20.0.5", "hostnames": ["airflow.example.com"]}],
        "priorityClassName": "batch",
        "volumes": [{"name": "x", "emptyDir": {}}],
        "volumeMounts": [{"name": "x", "mountPath": "/x"}],
        "initContainers": [],
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "podLabels": {"team": "data"},
        "safeToEvict": False,
    },
    "workers": {
        "default": {"queues": ["default"], "replicas": 3, "kubernetesPods": True},
        "gpu": {"queues": ["gpu", "train"], "slots": 2, "autoscaling": {"type": "keda", "max": 8}},
        "big": {"queues": ["big"], "state": {"type": "ephemeral"}, "autoscaling": {"type": "hpa", "min": 1, "metrics": [{"type": "External", "external": {"metric": {"name": "m"}, "target": {"type": "Value", "value": "1"}}}]}},
        "kept": {"queues": ["kept"], "state": {"type": "claim", "size": "5Gi", "storageClass": "fast"}},
    },
    "dagProcessor": {"replicas": 2},
    "triggerer": {"replicas": 2, "kubernetesPods": True},
    "sentinel": {"enabled": True, "existingSecret": "sentinel"},
    "metrics": {
        "podMonitor": {"enabled": True},
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "rules": [{"alert": "Mine", "expr": "1"}]},
        "dashboard": {"enabled": True},
    },
    "networkPolicy": {"enabled": True, "planeCidrs": ["10.20.0.5/32"], "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.9.0.0/16"}}]}]},
    "logShipper": {"enabled": True, "image": "registry.example.com/shipper:1", "files": {"shipper.conf": "a\n"}},
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}}],
    **KEDA,
}  # fmt: skip


def rendered(*values: dict[str, Any], **options: Any) -> charts.Rendered:
    whole = dict(LEAST)
    for each in values:
        whole |= each
    return charts.render(charts.AGENT, whole, **options)


def part(made: charts.Rendered, name: str) -> dict[str, Any]:
    return made.workloads()[f"site-tradewind-agent-{name}"]


ALTERNATIVES = {
    "least": {},
    "everything": EVERYTHING,
    "standalone": {"standalone": {"enabled": True}},
    "two of one": {"workers": {"default": {"queues": ["default"], "replicas": 2}}},
    "a proxy in the open": {"proxy": {"url": "http://proxy:3128", "alsoForTasks": False}},
    "no dag processor": {"dagProcessor": {"enabled": False}, "triggerer": {"enabled": False}},
    "own account": {"podDefaults": {"serviceAccount": {"create": False, "name": "mine"}}},
    "the sentinel relays": {"sentinel": {"enabled": True, "existingSecret": "s"}, "workers": {"gpu": {"autoscaling": {"type": "keda", "source": "sentinel"}}}},
    "environments": {"workers": {"default": {"queues": None, "environments": [{"name": "ml", "queues": ["gpu"], "slots": 2}]}}},
}  # fmt: skip


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


TASK_USER: dict[str, Any] = {
    "taskUser": {"enabled": True},
    "logShipper": {"enabled": True, "image": "registry.example.com/shipper:1"},
}
"""With a sidecar, which is no agent's."""


def test_tasks_have_a_user_of_their_own_where_baseline_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rendered(ALTERNATIVES["environments"], TASK_USER)
    charts.valid(made)
    pod = pod_of(part(made, "default"))
    assert (
        "fsGroup" not in pod["securityContext"]
    )  # tasks would have to be in it, and it reads the agent token
    assert pod["securityContext"]["supplementalGroups"] == [50001]
    agent, *others = [*pod["containers"], *pod["initContainers"]]
    assert agent["securityContext"] == {
        "runAsUser": 0, "runAsGroup": 0, "runAsNonRoot": False, "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "KILL", "SETGID", "SETUID"]},
    }  # fmt: skip
    assert [one["name"] for one in others] == ["task-user", "log-shipper"]
    assert not charts.not_restricted({**pod, "containers": others, "initContainers": []})
    for workload in made.workloads().values():
        assert not charts.not_baseline(pod_of(workload)), workload
    loaded = read(monkeypatch, part(made, "default"))
    assert (loaded.user, loaded.run_as) == ("tradewind", "tradewind-tasks")
    assert [one.run_as for one in loaded.task_environments] == ["tradewind-tasks"]
    doctor = pod_of(part(made, "doctor"))["containers"][0]
    assert doctor["securityContext"] == agent["securityContext"]


def test_each_worker_is_a_deployment_of_its_own_and_null_removes_one() -> None:
    made = rendered(
        {"workers": {"default": None, "gpu": {"queues": ["gpu"], "slots": 2}, "etl": {"queues": ["a", "b"]}}}
    )
    assert set(made.of("Deployment")) == {
        f"site-tradewind-agent-{name}" for name in ("gpu", "etl", "dag-processor", "triggerer")
    }
    assert environment(part(made, "etl"))["TRADEWIND_AGENT_QUEUES"] == "a,b"
    assert environment(part(made, "gpu"))["TRADEWIND_AGENT_SLOTS"] == "2"
    assert environment(part(made, "triggerer"))["TRADEWIND_AGENT_QUEUES"] == "a,b,gpu"
    assert "TRADEWIND_AGENT_TRIGGER_QUEUES" not in environment(part(made, "triggerer")), (
        "triggers of no queue"
    )


def test_a_value_of_a_worker_wins_over_its_defaults_also_false_and_zero_and_lists_are_appended() -> None:
    made = rendered(
        {
            "podDefaults": {"env": [{"name": "A", "value": "1"}], "nodeSelector": {"pool": "x", "zone": "z"}},
            "workerDefaults": {
                "replicas": 4,
                "safeToEvict": True,
                "resources": {"limits": {"memory": "8Gi"}},
            },
            "workers": {
                "default": {
                    "replicas": 0,
                    "env": [{"name": "B", "value": "2"}],
                    "nodeSelector": {"pool": "y"},
                    "serviceAccount": {"create": False},
                    "resources": {"limits": {"memory": "9Gi"}},
                }
            },
        }
    )
    workload = part(made, "default")
    pod = pod_of(workload)
    assert workload["spec"]["replicas"] == 0
    assert {"A": "1", "B": "2"}.items() <= environment(workload).items()
    assert pod["nodeSelector"] == {"pool": "y", "zone": "z"}
    assert pod["serviceAccountName"] == "default"
    assert pod["containers"][0]["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"memory": "9Gi"},
    }
    assert pod_of(part(made, "triggerer"))["containers"][0]["resources"]["limits"] == {"memory": "2Gi"}


def read(monkeypatch: pytest.MonkeyPatch, workload: dict[str, Any]) -> Settings:
    """The settings that an agent with the rendered variables has."""
    for name, value in environment(workload).items():
        monkeypatch.setenv(name, value if isinstance(value, str) else "from-elsewhere")
    return Settings()  # type: ignore[call-arg]


def test_the_agent_reads_what_the_chart_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rendered(
        {
            "bundles": [GIT],
            "settings": {"policy": "open", "live_logs": False, "dag_fields": ["*:doc_md"]},
            "podDefaults": {"terminationGracePeriodSeconds": 1260},
            "workers": {
                "default": {
                    "queues": None,
                    "settings": {"policy": "strict"},
                    "environments": [{"name": "a", "queues": ["x", "y"], "slots": 3}],
                }
            },
            "triggerer": {"capacity": 100_000},
        }
    )
    worker = read(monkeypatch, part(made, "default"))
    assert (worker.plane_url, worker.policy.value, worker.live_logs) == (LEAST["planeUrl"], "strict", False)
    assert [(each.name, each.queues, each.slots) for each in worker.environments] == [("a", ("x", "y"), 3)]
    assert [each.value for each in worker.components] == ["worker"]
    assert (worker.grace, worker.storage, worker.bundles) == (1200.0, LEAST["storage"], (GIT,))
    assert (worker.group, worker.dag_fields) == ("site/default", ("*:doc_md",))
    assert str(worker.token_file) == "/run/secrets/tradewind/token"
    assert worker.token is None
    triggerer = read(monkeypatch, part(made, "triggerer"))
    assert ([each.value for each in triggerer.components], triggerer.policy.value) == (["triggerer"], "open")
    assert (triggerer.trigger_capacity, triggerer.queues) == (100_000, ("x", "y"))


def test_a_pod_is_an_agent_by_its_name_and_keeps_its_state_over_restarts_of_the_container() -> None:
    workload = part(rendered(), "default")
    assert environment(workload)["TRADEWIND_AGENT_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    (state,) = [each for each in pod_of(workload)["volumes"] if each["name"] == "state"]
    assert state["emptyDir"] == {"sizeLimit": "2Gi"}
    assert workload["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_a_claim_makes_a_statefulset() -> None:
    made = rendered({"workers": {"default": {"queues": ["a"], "state": {"type": "claim", "size": "9Gi"}}}})
    workload = part(made, "default")
    assert workload["kind"] == "StatefulSet"
    (claim,) = workload["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "9Gi"
    assert workload["spec"]["serviceName"] in made.of("Service")
    assert "state" not in {each["name"] for each in pod_of(workload)["volumes"]}


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


def test_the_images_init_stays_in_front_and_no_service_sets_the_agents_variables() -> None:
    for workload in rendered(EVERYTHING).workloads().values():
        assert "command" not in pod_of(workload)["containers"][0]
        assert pod_of(workload)["enableServiceLinks"] is False


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


def test_credentials_come_from_secrets() -> None:
    env = environment(part(rendered(EVERYTHING), "default"))
    for name, secret, key in (
        ("TRADEWIND_AGENT_PROXY", "company-proxy", "url"),
        ("TRADEWIND_AGENT_TRACES_HEADERS", "collector", "headers"),
        ("OPENLINEAGE_API_KEY", "lineage", "api-key"),
    ):
        assert env[name] == {"secretKeyRef": {"name": secret, "key": key}}
    assert env["HTTPS_PROXY"] == "$(TRADEWIND_AGENT_PROXY)"
    assert {"10.0.0.0/8", ".svc", "169.254.169.254"} <= set(env["NO_PROXY"].split(","))
    assert env["SSL_CERT_FILE"] == env["TRADEWIND_AGENT_CA_FILE"] == "/etc/tradewind/ca/ca.crt"


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


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"planeUrl": ""}, "planeUrl is empty"),
        ({"planeUrl": "airflow.example.com"}, "planeUrl"),
        ({"planeUrl": "https://user:password@airflow.example.com"}, "planeUrl"),
        ({"token": {"existingSecret": ""}}, "token.existingSecret is empty"),
        ({"token": {"value": "tw_agent_x"}}, "'value'"),
        ({"image": {}}, "image.repository is empty"),
        ({"replicas": 2}, "'replicas'"),
        ({"siteKey": None}, "openssl rand -hex 32"),
        ({"storage": ""}, "storage is empty"),
        ({"storage": "bucket"}, "storage"),
        ({"workers": [{"name": "default"}]}, "workers is a map by name, not a list"),
        ({"workers": {"Default": {}}}, "Default"),
        ({"workers": {"triggerer": {}}}, "triggerer"),
        ({"workers": {"gpu": {"queue": "x"}}}, "'queue'"),
        ({"workers": {"default": None}, "dagProcessor": {"enabled": False}, "triggerer": {"enabled": False}}, "has no pods"),
        ({"workers": {"gpu": {"queues": ["a"], "environments": [{"name": "x"}]}}}, "each environment has its own"),
        ({"workers": {"gpu": {"autoscaling": {"type": "keda"}}}}, "tokens create --kind scaler"),
        ({"workers": {"gpu": {"autoscaling": {"type": "keda", "fallback": {"replicas": 0}}}}}, "'fallback'"),
        ({"workers": {"gpu": {"autoscaling": {"type": "keda", "source": "sentinel"}}}}, "set sentinel.enabled"),
        ({"workers": {"gpu": {"autoscaling": {"type": "hpa"}}}}, "autoscaling.metrics is empty"),
        ({"sentinel": {"enabled": True}}, "tokens create --kind sentinel"),
        ({"logShipper": {"enabled": True}}, "logShipper.image is empty"),
        ({"podDefaults": {"terminationGracePeriodSeconds": 30}}, "terminationGracePeriodSeconds"),
        ({"proxy": {"url": "http://u:p@proxy:3128"}}, "name it in proxy.existingSecret"),
        ({"settings": {"proxy": "http://u:p@proxy:3128"}}, "named in proxy.existingSecret"),
        ({"settings": {"traces_headers": "a=b"}}, "named in traces.existingSecret"),
        ({"settings": {"bundles": "[]"}}, "the value bundles, beside settings"),
        ({"settings": {"token": "tw_agent_x"}}, "settings.token is a Secret"),
        ({"settings": {"slots": 3}}, "workers.<name>.slots"),
        ({"workers": {"gpu": {"settings": {"queues": ["a"]}}}}, "workers.<name>.queues"),
        ({"env": [{"name": "TRADEWIND_AGENT_POLICY", "value": "open"}]}, "write settings.policy"),
        ({"bundles": [{**GIT, "kwargs": {"access_token": "x"}}]}, "name a connection of the site"),
        ({"bundles": [{"name": "dags"}]}, "classpath"),
        ({"secretsBackend": {"class": "x", "kwargs": {"token": "s"}}}, "secretsBackend.existingSecret"),
        ({"settings": {"run_as": "etl"}}, "the value taskUser"),
        ({"taskUser": {"enabled": True}, "openshift": True}, "OpenShift assigns users"),
        ({"taskUser": {"enabled": True}, "storage": "/shared", "siteKey": None}, "siteKey.existingSecret is empty"),
        ({"resources": {}}, "resources is now podDefaults.resources"),
        ({"persistence": {"size": "1Gi"}}, "persistence is now podDefaults.state"),
        ({"imagePullSecrets": []}, "imagePullSecrets is now image.pullSecrets"),
        ({"serviceAccount": {}}, "serviceAccount is now podDefaults.serviceAccount"),
        (
            {"podDefaults": {"serviceAccount": {"name": "one"}}, "triggerer": {"serviceAccount": {"annotations": {"iam": "x"}}}},
            "the service account one has other annotations in triggerer than in default",
        ),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_what_to_do(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(helm.HelmError) as refused:
        rendered(values)
    assert sentence in re.sub(r"\s+", " ", str(refused.value))


def test_the_values_of_the_page_about_a_key_ring_give_it_to_each_agent() -> None:
    page = (ROOT / "docs/how-to/keep-a-key.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    made = charts.render(charts.AGENT, {**LEAST, **yaml.safe_load(block)})
    agents = [one for one in made.workloads().values() if "TRADEWIND_AGENT_NAME" in environment(one)]
    assert len(agents) >= 3
    for one in agents:
        chosen = SealSettings.model_validate_json(environment(one)["TRADEWIND_AGENT_SEAL"])
        mounts = pod_of(one)["containers"][0]["volumeMounts"]
        (mount,) = [each for each in mounts if each["name"] == "keys"]
        assert chosen.keys_file is not None
        assert str(chosen.keys_file).startswith(f"{mount['mountPath']}/")
        (volume,) = [each for each in pod_of(one)["volumes"] if each["name"] == "keys"]
        assert volume["secret"]["defaultMode"] & 0o007 == 0, "the agent refuses a file that everyone can read"


def test_the_settings_that_the_chart_refuses_are_settings_of_the_agent() -> None:
    text = (charts.AGENT / "templates/_refused.tpl").read_text()
    (table,) = re.findall(r"range \$name, \$instead := dict(.*?)\}\}", text, re.DOTALL)
    names = re.findall(r'"([a-z_]+)" "', table)
    assert len(names) > 15
    assert set(names) <= set(Settings.model_fields)


def test_an_environment_of_a_worker_has_the_keys_that_the_agent_reads() -> None:
    schema = json.loads((charts.AGENT / "values.schema.json").read_text())
    environment = schema["definitions"]["worker"]["properties"]["environments"]["items"]
    assert set(environment["properties"]) == set(EnvironmentSettings.model_fields)


def test_the_recipe_of_plain_objects_starts_the_same_agent_as_the_chart() -> None:
    wanted = RecipeRequest(
        plane_url=LEAST["planeUrl"],
        name="site",
        bundle=Bundle(repository="https://git.example.com/dags.git"),
        image="registry.example.com/etl:7",
    )
    found = {one.key: one for one in recipes(wanted, Versions("0.1.0", "3.3.2", "3.12"))}
    texts = {step.what: step.text for key in ("helm", "kubernetes") for step in found[key].steps}
    inside = {
        what: text.split("\n", 1)[1].rpartition("\n")[0] for what, text in texts.items() if "<<" in text
    }
    config, plain = yaml.safe_load_all(inside["manifest"])
    made = charts.render(charts.AGENT, yaml.safe_load(inside["values file"]))
    chart = made.only("StatefulSet")
    pods = [pod_of(one) for one in (chart, plain)]
    for key in ("enableServiceLinks", "automountServiceAccountToken", "terminationGracePeriodSeconds"):
        assert pods[0][key] == pods[1][key], key
    assert pods[1]["securityContext"].items() <= pods[0]["securityContext"].items()
    containers = [pod["containers"][0] for pod in pods]
    for key in ("image", "securityContext", "livenessProbe", "readinessProbe", "ports"):
        assert containers[0][key] == containers[1][key], key
    assert containers[1]["args"][:2] == containers[0]["args"]
    assert 'repo_url = "https://git.example.com/dags.git"' in config["data"]["agent.toml"]
    assert environment(chart)["TRADEWIND_AGENT_NAME"] == "site"
    (bundle,) = json.loads(environment(chart)["TRADEWIND_AGENT_BUNDLES"])
    assert bundle["kwargs"]["repo_url"] == "https://git.example.com/dags.git"


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
