"""The controller's chart: what Helm makes of it is what Kubernetes takes, and its rights are the ones that are known."""

from __future__ import annotations

import json
from typing import Any

import helm_python as helm
import pytest

from support import charts
from support.charts import CONTROLLER, pod_of
from support.installed import ROOT
from tradewind.gateway.settings import GatewaySettings
from tradewind_platform.kubernetes.settings import KubernetesSettings

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib


GOLDEN = ROOT / "tests/chart/controller_rights.json"
LEAST: dict[str, Any] = {
    "image": {"repository": "registry.example.com/tradewind-controller"},
    "plane": {"image": {"repository": "registry.example.com/tradewind-plane"}},
    "platform": {"url": "https://platform.example.com", "existingSecret": "cluster-token"},
    "database": {"existingSecret": "deployments-database"},
    "gateway": {
        "agentsHost": "c2345abc.external.example.com",
        "peopleDomain": "c2345abc.apps.example.com",
        "tlsSecret": "gateway-tls",
    },
}
ALTERNATIVES: dict[str, dict[str, Any]] = {
    "least": {},
    "token": {"platform": {"url": "https://platform.example.com", "token": "tw_cluster_x", "caSecret": "ca"}},
    "pool": {"namespaces": {"existing": ["planes-1", "planes-2"]}},
    "claim made": {"backups": {"persistentVolumeClaim": {"enabled": True, "storageClassName": "fast"}}},
    "claim given": {"backups": {"existingClaim": "ours"}},
    "CloudNativePG": {"database": {"cloudNativePG": {"cluster": "main", "namespace": "databases"}}},
    "gateway api": {
        "gateway": {
            "kind": "httpRoute",
            "parentRefs": [{"name": "public"}],
            "agentsHost": "c2345abc.external.example.com",
            "peopleDomain": "c2345abc.apps.example.com",
        }
    },
}


def rendered(values: dict[str, Any]) -> charts.Rendered:
    return charts.render(CONTROLLER, {**LEAST, **values}, name="tradewind-controller", namespace="tradewind")


def test_helm_lint_finds_nothing() -> None:
    found = helm.lint(CONTROLLER, values=LEAST)
    assert [each for each in found["messages"] if each["severity"] > 1] == [], found


@pytest.mark.parametrize("which", ALTERNATIVES)
def test_kubernetes_takes_all_that_is_rendered(which: str) -> None:
    charts.valid(rendered(ALTERNATIVES[which]))


@pytest.mark.parametrize("which", ALTERNATIVES)
def test_each_pod_passes_the_restricted_profile_with_a_read_only_root(which: str) -> None:
    made = rendered(ALTERNATIVES[which])
    assert {name: charts.not_restricted(pod_of(each)) for name, each in made.workloads().items()} == {
        name: [] for name in made.workloads()
    }


@pytest.mark.parametrize("which", ["least", "pool", "gateway api", "CloudNativePG"])
def test_scenario_23_the_controllers_rights_equal_the_golden_list(which: str) -> None:
    made = rendered(ALTERNATIVES[which])
    rights = {
        f"{kind} {name}": each["rules"]
        for (kind, name), each in made.items()
        if kind in ("Role", "ClusterRole")
    }
    assert rights == json.loads(GOLDEN.read_text())[which]


def test_only_the_controller_has_a_token_of_kubernetes() -> None:
    made = rendered({}).workloads()
    assert {name: pod_of(each)["automountServiceAccountToken"] for name, each in made.items()} == {
        "tradewind-controller": True,
        "tradewind-controller-gateway": False,
    }


def test_the_controller_is_probed_at_the_port_that_it_listens_on() -> None:
    (container,) = pod_of(rendered({}).workloads()["tradewind-controller"])["containers"]
    [health] = container["ports"]
    assert f"--health-listen=:{health['containerPort']}" in container["args"]
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": health["name"]}
    assert "readinessProbe" not in container, "a platform that is away keeps no release from being ready"


def test_with_namespaces_that_are_there_it_has_no_right_in_the_cluster() -> None:
    made = rendered(ALTERNATIVES["pool"])
    assert made.of("ClusterRoleBinding") == {}
    bound = {each["metadata"].get("namespace", "tradewind") for each in made.of("RoleBinding").values()}
    assert bound <= {"tradewind", "planes-1", "planes-2"}


@pytest.mark.parametrize("which", ALTERNATIVES)
def test_the_controller_reads_the_settings_that_the_chart_writes(which: str) -> None:
    written = rendered(ALTERNATIVES[which])[("ConfigMap", "tradewind-controller")]["data"]["settings.json"]
    found = KubernetesSettings.model_validate_json(written)
    assert found.own_namespace == "tradewind" and found.role == "tradewind-controller-deployments"


def _plane(**values: Any) -> dict[str, Any]:
    return {"plane": {**LEAST["plane"], **values}}


def test_sizes_reach_the_controller() -> None:
    large = {"apiServer": {"replicas": 4}, "scheduler": {"resources": {"limits": {"memory": "4Gi"}}}}
    written = rendered(_plane(sizes={"large": large}))[("ConfigMap", "tradewind-controller")]["data"]
    sizes = KubernetesSettings.model_validate_json(written["settings.json"]).sizes
    assert {name: one.model_dump() for name, one in sizes.items()} == {"large": large}
    written = rendered(_plane(sizes=None, versions=None))[("ConfigMap", "tradewind-controller")]["data"]
    assert KubernetesSettings.model_validate_json(written["settings.json"]).sizes == {}


@pytest.mark.parametrize(
    "wrong",
    [{"Large": {}}, {"l" * 31: {}}, {"large": {"image": {}}}, {"large": 4}],
    ids=["name", "long", "values", "number"],
)
def test_what_is_no_size_is_refused_before_anything_is_installed(wrong: dict[str, Any]) -> None:
    with pytest.raises(helm.HelmError, match="sizes"):
        rendered(_plane(sizes=wrong))


def test_with_cloudnativepg_the_controller_has_no_password_of_a_database_and_reads_no_secret_there() -> None:
    made = rendered(ALTERNATIVES["CloudNativePG"])
    pod = pod_of(made[("Deployment", "tradewind-controller")])
    assert "database" not in {one["name"] for one in pod["volumes"]}
    written = made[("ConfigMap", "tradewind-controller")]["data"]["settings.json"]
    found = KubernetesSettings.model_validate_json(written)
    assert found.database_url_file is None and found.cloud_native_pg is not None
    assert (found.cloud_native_pg.namespace, found.cloud_native_pg.cluster) == ("databases", "main")
    role = made[("Role", "tradewind-controller-databases")]
    binding = made[("RoleBinding", "tradewind-controller-databases")]
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "databases"
    assert [one["verbs"] for one in role["rules"] if "secrets" in one["resources"]] == [["create"]]


@pytest.mark.parametrize(
    ("which", "claim"),
    [("least", None), ("claim made", "tradewind-controller-backups"), ("claim given", "ours")],
    ids=["none", "made", "given"],
)
def test_backups_are_kept_on_the_volume_that_is_named(which: str, claim: str | None) -> None:
    made = rendered(ALTERNATIVES[which])
    pod = pod_of(made[("Deployment", "tradewind-controller")])
    claims = [
        one["persistentVolumeClaim"]["claimName"] for one in pod["volumes"] if "persistentVolumeClaim" in one
    ]
    settings = KubernetesSettings.model_validate_json(
        made[("ConfigMap", "tradewind-controller")]["data"]["settings.json"]
    )
    mounts = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    assert claims == ([claim] if claim else [])
    assert mounts.get("backups") == (str(settings.backups) if settings.backups else None)
    assert (settings.backups is not None) is (claim is not None)
    kept = {name: one["metadata"]["annotations"] for name, one in made.of("PersistentVolumeClaim").items()}
    expected = {claim: {"helm.sh/resource-policy": "keep"}} if which == "claim made" else {}
    assert kept == expected, "uninstalling the controller erases no backup"


@pytest.mark.parametrize(("which", "only_closed"), [("least", False), ("gateway api", True)])
def test_the_gateway_reads_the_configuration_that_the_chart_writes(which: str, only_closed: bool) -> None:
    written = rendered(ALTERNATIVES[which])[("ConfigMap", "tradewind-controller")]["data"]["settings.json"]
    found = GatewaySettings.model_validate(
        tomllib.loads(KubernetesSettings.model_validate_json(written).gateway.configuration)
    )
    assert found.host == "c2345abc.external.example.com"
    assert found.people is not None and found.people.domain == "c2345abc.apps.example.com"
    assert found.only_closed is only_closed and (found.tls is None) is only_closed


def test_a_gateway_that_is_replaced_serves_until_nodes_send_it_nothing() -> None:
    made = rendered({})
    pod = pod_of(made[("Deployment", "tradewind-controller-gateway")])
    (container,) = pod["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "5"]
    assert pod["terminationGracePeriodSeconds"] > 10, "time to end what it has begun"


def test_what_answers_for_closed_deployments_is_where_the_routes_of_gateway_api_lead() -> None:
    made = rendered(ALTERNATIVES["gateway api"])
    settings = KubernetesSettings.model_validate_json(
        made[("ConfigMap", "tradewind-controller")]["data"]["settings.json"]
    )
    service = made[("Service", settings.gateway.closed_service)]["spec"]
    pod = made[("Deployment", settings.gateway.closed_service)]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    ports = {one["name"]: one["containerPort"] for one in pod["spec"]["containers"][0]["ports"]}
    assert service["type"] == "ClusterIP" and service["selector"].items() <= labels.items()
    assert [(one["port"], ports[one["targetPort"]]) for one in service["ports"]] == [
        (80, settings.gateway.pod_port)
    ]
    assert settings.gateway.pod_labels.items() <= labels.items() and not settings.gateway.address


def test_a_changed_setting_starts_the_controller_anew() -> None:
    def checksum(values: dict[str, Any]) -> str:
        made = rendered(values)[("Deployment", "tradewind-controller")]
        return str(made["spec"]["template"]["metadata"]["annotations"]["checksum/settings"])

    assert checksum({}) == checksum({}) != checksum({"namespaces": {"quota": {"pods": "9"}}})


@pytest.mark.parametrize(
    ("values", "remedy"),
    [
        ({"platform": {"url": "http://platform.example.com", "existingSecret": "t"}}, "no https:// address"),
        ({"platform": {"url": "https://platform.example.com"}}, "tradewind clusters add"),
        ({"database": {}}, "database.existingSecret is empty"),
        ({"database": {"cloudNativePG": {"cluster": "main"}}}, "both cluster and namespace"),
        (
            {"database": {"existingSecret": "d", "cloudNativePG": {"cluster": "main", "namespace": "d"}}},
            "both set",
        ),
        (
            {
                "gateway": {
                    "kind": "httpRoute",
                    "agentsHost": "a.example.com",
                    "peopleDomain": "b.example.com",
                }
            },
            "gateway.parentRefs is empty",
        ),
        ({"gateway": {"agentsHost": "a.example.com"}}, "gateway.peopleDomain is empty"),
    ],
    ids=["plain", "no token", "no database", "half a database", "two databases", "no gateway", "no names"],
)
def test_what_cannot_work_is_refused_with_a_remedy(values: dict[str, Any], remedy: str) -> None:
    with pytest.raises(helm.HelmError, match=remedy):
        rendered(values)
