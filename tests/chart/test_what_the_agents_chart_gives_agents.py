"""The agent reads what the chart gives it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from chart.agents_values import ALTERNATIVES, EVERYTHING, GIT, LEAST, part, rendered
from support import charts
from support.charts import environment, pod_of
from support.installed import ROOT
from tradewind_agent.settings import EnvironmentSettings, SealSettings, Settings
from tradewind_provider.domain.recipes import Bundle, RecipeRequest, Versions, recipes

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


def test_the_images_init_stays_in_front_and_no_service_sets_the_agents_variables() -> None:
    for workload in rendered(EVERYTHING).workloads().values():
        assert "command" not in pod_of(workload)["containers"][0]
        assert pod_of(workload)["enableServiceLinks"] is False


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
