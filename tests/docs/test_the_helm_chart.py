"""The chart: its values are written down, its schema refuses what it cannot use, and Helm makes of it what is promised."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tradewind_agent.settings import Settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy/helm/tradewind-agent"
PAGE = (ROOT / "docs/reference/helm-values.md").read_text()
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
LEAST: dict[str, Any] = {
    "planeUrl": "https://airflow.example.com/eu",
    "token": {"existingSecret": "site-token"},
    "image": {"repository": "registry.example.com/etl", "tag": "7"},
}

needs_helm = pytest.mark.skipif(shutil.which("helm") is None, reason="no helm on this machine")


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


def helm(*arguments: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = ["helm", *arguments, str(CHART), "--kube-version", "1.31.0", "--values", "-"]
    return subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)


def rendered(**values: Any) -> dict[str, dict[str, Any]]:
    """What `helm template` makes, by kind."""
    made = helm("template", "site", values={**LEAST, **values})
    assert made.returncode == 0, made.stderr
    return {each["kind"]: each for each in yaml.safe_load_all(made.stdout) if each}


@needs_helm
def test_helm_lint_finds_nothing() -> None:
    found = helm("lint", "--strict", values=LEAST)
    assert found.returncode == 0, found.stdout + found.stderr


@needs_helm
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
        env=[{"name": "AWS_REGION", "value": "eu-1"}],
    )
    pod = made["StatefulSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    env = {each["name"]: each["value"] for each in container["env"]}
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
    assert str(read.token_file) == "/run/secrets/tradewind/token"
    assert env["AWS_REGION"] == "eu-1"
    assert "TRADEWIND_AGENT_TOKEN" not in env


@needs_helm
def test_the_pod_passes_the_restricted_profile_and_has_no_token_of_kubernetes() -> None:
    made = rendered()
    pod = made["StatefulSet"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["image"] == "registry.example.com/etl:7"
    assert made["StatefulSet"]["spec"]["serviceName"] == made["Service"]["metadata"]["name"]
    labels = made["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    assert made["Service"]["spec"]["selector"].items() <= labels.items()


@needs_helm
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


@needs_helm
def test_helm_refuses_a_setting_that_the_chart_sets() -> None:
    found = helm("template", "site", values={**LEAST, "settings": {"token": "tw_agent_x"}})
    assert found.returncode != 0
