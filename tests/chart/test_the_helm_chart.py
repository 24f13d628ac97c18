"""The chart: its values are written down, its schema refuses what it cannot use, and Helm makes of it what is promised."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tradewind_agent.settings import Settings
from tradewind_provider.domain.recipes import Bundle, RecipeRequest, Versions, recipes

helm = pytest.importorskip("helm_python", reason="`make helm` installs the Helm library")

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/tradewind-agent"
PAGE = (ROOT / "docs/reference/helm-values.md").read_text()
GIT = {
    "name": "dags",
    "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
    "kwargs": {"repo_url": "https://git.example.com/team/dags.git", "tracking_ref": "main"},
}
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
LEAST: dict[str, Any] = {
    "planeUrl": "https://airflow.example.com/eu",
    "token": {"existingSecret": "site-token"},
    "image": {"repository": "registry.example.com/etl", "tag": "7"},
}


def leaves(values: dict[str, Any], above: str = "") -> list[str]:
    """The names of all values, with dots."""
    found = []
    for name, value in values.items():
        whole = f"{above}{name}"
        deeper = (
            isinstance(value, dict)
            and value
            and whole not in ("settings", "podSecurityContext", "securityContext")
        )
        found += leaves(value, f"{whole}.") if deeper else [whole]
    return found


def test_every_value_is_written_down() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) == set(SCHEMA["properties"]) - {"global"}
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `"))
    for name in leaves(values):
        group, _, key = name.rpartition(".")
        assert f"`{name}`" in table or (f"`{group}." in table and f"`.{key}`" in table), name


def test_the_smallest_file_of_the_page_is_accepted() -> None:
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        jsonschema.validate({**LEAST, **yaml.safe_load(block)}, SCHEMA)


def test_what_the_chart_sets_itself_is_a_setting_and_is_refused_as_a_value() -> None:
    refused = SCHEMA["properties"]["settings"]["propertyNames"]["not"]["enum"]
    assert set(refused) <= set(Settings.model_fields)
    for name in refused:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**LEAST, "settings": {name: "x"}}, SCHEMA)


@pytest.mark.parametrize(
    "wrong",
    [
        {"planeUrl": "airflow.example.com"},
        {"planeUrl": "https://user:password@airflow.example.com"},
        {"token": {"existingSecret": ""}},
        {"token": {"value": "tw_agent_x"}},
        {"image": {}},
        {"replicas": 2},
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_installed(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**LEAST, **wrong}, SCHEMA)


def rendered(**values: Any) -> dict[str, dict[str, Any]]:
    """What Helm makes, by kind. Raises HelmError with what it says."""
    with helm.Chart.load(CHART) as chart:
        whole = {**LEAST, **values}
        chart.validate_schema(chart.merge_values(whole))
        made = chart.render(whole, name="site", namespace="data")
    documents = [each for text in made.values() if "kind:" in text for each in yaml.safe_load_all(text)]
    return {each["kind"]: each for each in documents if each}


def test_helm_lint_finds_nothing() -> None:
    found = helm.lint(CHART, values=LEAST)
    assert [each for each in found["messages"] if each["severity"] > 1] == [], found


def test_the_agent_reads_what_the_chart_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    environments = [{"name": "default", "queues": ["a", "b"], "slots": 16}, {"name": "ml", "queues": ["gpu"]}]
    made = rendered(
        settings={
            "environments": environments,
            "policy": "open",
            "live_logs": False,
            "trigger_capacity": 100_000,
            "components": ["worker", "triggerer"],
        },
        bundles=[GIT],
        env=[{"name": "AWS_REGION", "value": "eu-1"}],
    )
    pod = made["StatefulSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    env = {each["name"]: each["value"] for each in container["env"]}
    monkeypatch.setenv("HOME", env.pop("HOME"))
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    read = Settings()  # type: ignore[call-arg]
    assert read.plane_url == LEAST["planeUrl"]
    assert [(each.name, each.queues) for each in read.environments] == [
        ("default", ("a", "b")),
        ("ml", ("gpu",)),
    ]
    assert (read.name, read.policy.value, read.live_logs, read.trigger_capacity, read.grace) == (
        "site",
        "open",
        False,
        100_000,
        600.0,
    )
    assert read.bundles == (GIT,)
    assert str(read.token_file) == "/run/secrets/tradewind/token"
    assert env["AWS_REGION"] == "eu-1"
    assert "TRADEWIND_AGENT_TOKEN" not in env


def test_the_pod_passes_the_restricted_profile_and_has_no_token_of_kubernetes() -> None:
    made = rendered()
    pod = made["StatefulSet"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    written = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
    assert written == {"/var/lib/tradewind", "/tmp"}
    assert container["image"] == "registry.example.com/etl:7"
    assert made["StatefulSet"]["spec"]["serviceName"] == made["Service"]["metadata"]["name"]
    labels = made["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert made["Service"]["spec"]["selector"].items() <= labels.items()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"serviceAccount": {"create": False}},
        {
            "podLabels": {"team": "data"},
            "volumes": [{"name": "x", "emptyDir": {}}],
            "volumeMounts": [{"name": "x", "mountPath": "/x"}],
            "image": {"repository": "r/x", "digest": "sha256:" + "0" * 64},
        },
    ],
)
def test_every_combination_is_a_manifest(more: dict[str, Any]) -> None:
    made = rendered(**more)
    assert {"StatefulSet", "Service"} <= set(made)


def test_the_images_init_stays_in_front_and_no_service_sets_the_agents_variables() -> None:
    pod = rendered()["StatefulSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert "command" not in container
    assert container["args"] == ["tradewind-agent", "run"]
    assert pod["enableServiceLinks"] is False


def test_credentials_come_from_secrets() -> None:
    made = rendered(
        proxy={"existingSecret": "company-proxy"}, traces={"existingSecret": "collector", "key": "h"}
    )
    (container,) = made["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("valueFrom") for each in container["env"]}
    assert env["TRADEWIND_AGENT_PROXY"] == {"secretKeyRef": {"name": "company-proxy", "key": "url"}}
    assert env["TRADEWIND_AGENT_TRACES_HEADERS"] == {"secretKeyRef": {"name": "collector", "key": "h"}}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"settings": {"proxy": "http://u:p@proxy:3128"}}, "name it in proxy.existingSecret"),
        ({"settings": {"traces_headers": "a=b"}}, "name it in traces.existingSecret"),
        ({"settings": {"bundles": "[]"}}, "the value bundles, beside settings"),
        ({"bundles": [{**GIT, "kwargs": {"access_token": "x"}}]}, "name a connection of the site"),
        ({"bundles": [{"name": "dags"}]}, "classpath"),
        ({"settings": {"token": "tw_agent_x"}}, "'token'"),
    ],
)
def test_what_would_be_readable_in_the_pod_is_refused_with_what_to_do(
    values: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(helm.HelmError) as refused:
        rendered(**values)
    assert sentence in str(refused.value)


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
    chart = rendered(**yaml.safe_load(inside["values file"]))["StatefulSet"]
    pods = [one["spec"]["template"]["spec"] for one in (chart, plain)]
    for key in ("enableServiceLinks", "automountServiceAccountToken", "terminationGracePeriodSeconds"):
        assert pods[0][key] == pods[1][key], key
    assert pods[1]["securityContext"].items() <= pods[0]["securityContext"].items()
    containers = [pod["containers"][0] for pod in pods]
    for key in ("image", "securityContext", "startupProbe", "livenessProbe", "readinessProbe", "ports"):
        assert containers[0][key] == containers[1][key], key
    assert containers[1]["args"][:2] == containers[0]["args"]
    assert 'repo_url = "https://git.example.com/dags.git"' in config["data"]["agent.toml"]
    (bundle,) = json.loads(
        {e["name"]: e.get("value") for e in containers[0]["env"]}["TRADEWIND_AGENT_BUNDLES"]
    )
    assert bundle["kwargs"]["repo_url"] == "https://git.example.com/dags.git"
