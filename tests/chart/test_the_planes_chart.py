"""The plane's chart: what Helm makes of values is what Kubernetes takes and what Airflow reads."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import helm_python as helm
import pytest
import yaml

from private_network import gateway_api
from support import charts
from support.charts import PLANE, environment, pod_of

LEAST: dict[str, Any] = {
    "image": {"repository": "registry.example.com/plane", "tag": "7"},
    "publicUrl": "https://airflow.example.com",
    "database": {"existingSecret": "database"},
    "keys": {"existingSecret": "keys"},
    "auth": {"manager": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"},
}
EVERYTHING: dict[str, Any] = {
    "publicUrl": "https://airflow.example.com/sales/",
    "agentHosts": ["agents.example.com", "k3.external.example.com"],
    "trustedProxies": ["10.0.3.17", "10.0.3.18"],
    "settings": {"poll_seconds": 20, "largest_body_bytes": 33554432, "policy": "strict"},
    "config": {"scheduler": {"orphaned_tasks_check_interval": 30}, "core": {"load_examples": False}},
    "env": [{"name": "AWS_REGION", "value": "eu-1"}],
    "envFrom": [{"secretRef": {"name": "more"}}],
    "apiServer": {"autoscaling": {"enabled": True, "min": 2, "max": 5}},
    "scheduler": {"replicas": 2},
    "pods": {
        "podLabels": {"team": "data"},
        "priorityClassName": "high",
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "volumes": [{"name": "plugins", "configMap": {"name": "plugins"}}],
        "volumeMounts": [{"name": "plugins", "mountPath": "/var/lib/airflow/plugins"}],
    },
    "agentsService": {"enabled": True, "annotations": {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}},
    "ingress": {"enabled": True, "className": "nginx", "tls": [{"secretName": "tls", "hosts": ["airflow.example.com"]}]},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]},
    "networkPolicy": {"enabled": True, "databaseCidrs": ["10.1.0.5/32"]},
    "metrics": {"serviceMonitor": {"enabled": True, "existingSecret": "scrape"}},
    "extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}}],
}  # fmt: skip
TRIAL = {"auth": {"users": "admin:admin", "passwords": {"existingSecret": "passwords"}}}
ALTERNATIVES = {"least": {}, "everything": EVERYTHING, "trial": TRIAL}
GATEWAY = {"gateway.networking.k8s.io/v1"}


def rendered(*values: dict[str, Any], name: str = "prod") -> charts.Rendered:
    whole = dict(LEAST)
    for each in values:
        whole |= each
    return charts.render(PLANE, whole, name=name)


def part(made: charts.Rendered, name: str) -> dict[str, Any]:
    return made[("Deployment", f"prod-tradewind-plane-{name}")]


def test_helm_lint_finds_nothing() -> None:
    found = helm.lint(PLANE, values=LEAST)
    assert [each for each in found["messages"] if each["severity"] > 1] == [], found


@pytest.mark.parametrize("which", ALTERNATIVES)
def test_kubernetes_takes_all_that_is_rendered(which: str) -> None:
    made = rendered(ALTERNATIVES[which])
    charts.valid(
        charts.Rendered({key: each for key, each in made.items() if each["apiVersion"] not in GATEWAY})
    )


@pytest.mark.skipif(not charts.HELM_3.exists(), reason="Helm 3 is not built: `make kubernetes`")
@pytest.mark.parametrize("which", ALTERNATIVES)
def test_helm_3_makes_the_same_objects_as_helm_4(which: str) -> None:
    made = charts.render_with_helm_3(PLANE, {**LEAST, **ALTERNATIVES[which]}, name="prod")
    assert made == rendered(ALTERNATIVES[which])


@pytest.mark.parametrize("which", ALTERNATIVES)
def test_each_pod_passes_the_restricted_profile_with_a_read_only_root(which: str) -> None:
    made = rendered(ALTERNATIVES[which])
    assert {name: charts.not_restricted(pod_of(each)) for name, each in made.workloads().items()} == {
        name: [] for name in made.workloads()
    }


@pytest.mark.parametrize("which", ALTERNATIVES)
def test_rendering_twice_gives_the_same_text_and_no_key_is_made(which: str) -> None:
    values = json.dumps({**LEAST, **ALTERNATIVES[which]})
    first, second = (charts.render_text(PLANE, values, "airflow", "data") for _ in range(2))
    assert first == second
    assert rendered(ALTERNATIVES[which]).of("Secret") == {}


def test_nothing_is_a_hook() -> None:
    assert not [
        key
        for key, each in rendered(EVERYTHING).items()
        if "helm.sh/hook" in each["metadata"].get("annotations", {})
    ]


def test_no_database_and_no_triggerer_come_with_it() -> None:
    assert sorted(rendered().workloads()) == sorted(
        [
            "prod-tradewind-plane-api-server",
            "prod-tradewind-plane-scheduler",
            rendered().only("Job")["metadata"]["name"],
        ]
    )


@pytest.mark.parametrize("which", ALTERNATIVES)
def test_each_server_waits_until_the_database_is_migrated(which: str) -> None:
    for name in ("api-server", "scheduler"):
        first = pod_of(part(rendered(ALTERNATIVES[which]), name))["initContainers"][0]
        assert first["args"][:3] == ["airflow", "db", "check-migrations"]
    assert pod_of(rendered(ALTERNATIVES[which]).only("Job"))["containers"][0]["args"] == [
        "airflow",
        "db",
        "migrate",
    ]


def test_each_image_and_configuration_is_migrated_by_a_job_of_its_own() -> None:
    def name(*values: dict[str, Any]) -> str:
        return str(rendered(*values).only("Job")["metadata"]["name"])

    assert name() == name()
    assert name() == name({"apiServer": {"replicas": 5}})
    assert (
        len(
            {
                name(),
                name({"image": {**LEAST["image"], "tag": "8"}}),
                name({"database": {"existingSecret": "b"}}),
            }
        )
        == 3
    )


def test_airflow_reads_what_the_values_say() -> None:
    said = environment(part(rendered(EVERYTHING), "api-server"))
    assert said["AIRFLOW__CORE__EXECUTOR"] == "tradewind_provider.executor.RemoteExecutor"
    assert said["AIRFLOW__API__BASE_URL"] == "https://airflow.example.com/sales"
    assert said["AIRFLOW__TRADEWIND__AGENT_HOSTS"] == "agents.example.com, k3.external.example.com"
    assert said["AIRFLOW__TRADEWIND__TRUSTED_PROXIES"] == "10.0.3.17, 10.0.3.18"
    assert said["AIRFLOW__TRADEWIND__POLL_SECONDS"] == "20"
    assert said["AIRFLOW__TRADEWIND__LARGEST_BODY_BYTES"] == "33554432"
    assert said["AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL"] == "30"
    assert said["AIRFLOW__CORE__LOAD_EXAMPLES"] == "false"
    assert said["AIRFLOW__CORE__FERNET_KEY"] == {"secretKeyRef": {"name": "keys", "key": "fernet-key"}}
    assert said["AWS_REGION"] == "eu-1"
    assert said == environment(part(rendered(EVERYTHING), "scheduler"))


def test_probes_are_under_the_path_of_the_public_address() -> None:
    container = pod_of(part(rendered(EVERYTHING), "api-server"))["containers"][0]
    assert container["readinessProbe"]["httpGet"]["path"] == "/sales/remote-execution/v1/readyz"
    assert (
        pod_of(part(rendered(), "api-server"))["containers"][0]["livenessProbe"]["httpGet"]["path"]
        == "/api/v2/version"
    )


def test_an_api_server_that_is_replaced_answers_until_nodes_send_it_nothing() -> None:
    pod = pod_of(part(rendered(), "api-server"))
    (container,) = pod["containers"]
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command == ["sleep", "5"]
    assert pod["terminationGracePeriodSeconds"] > 2 * int(command[1]), "time to end what it has begun"
    assert "lifecycle" not in pod_of(part(rendered(), "scheduler"))["containers"][0]


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ({}, "https://airflow.example.com"),
        (EVERYTHING, "https://agents.example.com/sales"),
        ({"agentHosts": ["*.external.example.com"]}, None),
        (
            {**EVERYTHING, "settings": {"agent_url": "https://k3.external.example.com/d4f2"}},
            "https://k3.external.example.com/d4f2",
        ),
    ],
)
def test_register_is_told_where_agents_reach_the_plane(values: dict[str, Any], address: str | None) -> None:
    said = environment(part(rendered(values), "api-server"))
    assert said.get("AIRFLOW__TRADEWIND__AGENT_URL") == address


@pytest.mark.skipif(sys.version_info < (3, 11), reason="what reads Gateway API's rules needs Python 3.11")
def test_its_routes_are_ones_that_gateway_api_takes() -> None:
    pytest.importorskip("cel", reason="`make cfn-lint` installs it")
    routes = [one for (kind, _), one in rendered(EVERYTHING).items() if kind == "HTTPRoute"]
    assert [gateway_api.problems(one) for one in routes] == [[], []]


def test_agents_have_hosts_of_their_own() -> None:
    made = rendered(EVERYTHING)
    for kind in ("Ingress", "HTTPRoute"):
        people, agents = (made[(kind, f"prod-tradewind-plane{end}")]["spec"] for end in ("", "-agents"))
        if kind == "Ingress":
            assert [rule["host"] for rule in people["rules"]] == ["airflow.example.com"]
            assert people["rules"][0]["http"]["paths"][0]["path"] == "/sales"
            assert [rule["host"] for rule in agents["rules"]] == EVERYTHING["agentHosts"]
        else:
            assert (people["hostnames"], agents["hostnames"]) == (
                ["airflow.example.com"],
                EVERYTHING["agentHosts"],
            )
            assert agents["rules"][0]["timeouts"]["request"] == "75s"
    annotations = made[("Ingress", "prod-tradewind-plane-agents")]["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == "32m"


def test_a_scaled_deployment_says_no_number_of_replicas() -> None:
    made = rendered(EVERYTHING)
    assert "replicas" not in part(made, "api-server")["spec"]
    assert made.only("HorizontalPodAutoscaler")["spec"]["maxReplicas"] == 5
    assert set(made.of("PodDisruptionBudget")) == {
        "prod-tradewind-plane-api-server",
        "prod-tradewind-plane-scheduler",
    }
    assert set(rendered().of("PodDisruptionBudget")) == {
        "prod-tradewind-plane-api-server"
    }  # one scheduler has none


def test_prometheus_finds_one_service() -> None:
    made = rendered(EVERYTHING)
    wanted = made.only("ServiceMonitor")["spec"]["selector"]["matchLabels"].items()
    found = [
        name for name, each in made.of("Service").items() if wanted <= each["metadata"]["labels"].items()
    ]
    assert found == ["prod-tradewind-plane"]


def test_on_openshift_no_user_is_named() -> None:
    made = rendered({"openshift": True})
    for workload in made.workloads().values():
        assert "runAsUser" not in pod_of(workload)["securityContext"]
        assert environment(workload)["USER"], "Airflow refuses a user without a name"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"image": {"tag": "7"}}, "image.repository is empty"),
        ({"publicUrl": ""}, "publicUrl is empty or no address"),
        ({"publicUrl": "airflow.example.com"}, "publicUrl is empty or no address"),
        ({"database": {}}, "database.existingSecret is empty"),
        ({"keys": {}}, "keys.existingSecret is empty"),
        ({"auth": {}}, "auth.manager is empty"),
        ({"settings": {"agent_hosts": "a"}}, "settings.agent_hosts is the value agentHosts"),
        ({"config": {"core": {"fernet_key": "x"}}}, "config.core.fernet_key is in the Secret of keys.existingSecret"),
        ({"config": {"smtp": {"smtp_password": "x"}}}, "AIRFLOW__SMTP__SMTP_PASSWORD"),
        ({"config": {"tradewind": {"policy": "open"}}}, "config.tradewind is the value settings"),
        ({"env": [{"name": "AIRFLOW__TRADEWIND__POLICY", "value": "open"}]}, "write settings.policy"),
        ({"httpRoute": {"enabled": True}}, "httpRoute.parentRefs is empty"),
        ({"metrics": {"serviceMonitor": {"enabled": True}}}, "metrics.serviceMonitor.existingSecret is empty"),
        ({"apiServer": {"autoscaling": {"enabled": True, "min": 5, "max": 2}}}, "autoscaling.max is less than min"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_the_remedy(values: dict[str, Any], said: str) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(said)):
        rendered(values)


@pytest.mark.parametrize(
    "values", [{"replicas": 2}, {"apiServer": {"replica": 2}}, {"service": {"type": "External"}}, {"image": {"digest": "7"}}]
)  # fmt: skip
def test_the_schema_refuses_what_it_does_not_know(values: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmError):
        rendered(values)


def test_every_value_has_a_place_in_the_schema() -> None:
    values = yaml.safe_load((PLANE / "values.yaml").read_text(encoding="utf-8"))
    with helm.Chart.load(PLANE) as loaded:
        loaded.validate_schema(loaded.merge_values(values))
