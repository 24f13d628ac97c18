"""docs/reference/helm-values.md and the values it is made of."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import jsonschema
import yaml

from support.installed import ROOT

CHART = ROOT / "deploy/helm/tradewind-agent"
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def test_the_page_is_current() -> None:
    subprocess.run([sys.executable, ROOT / "docs/scripts/helm_values_page.py", "--check"], check=True)


def test_each_value_has_a_sentence() -> None:
    text = (CHART / "values.yaml").read_text()
    for name in VALUES:
        if name not in (
            "nameOverride",
            "fullnameOverride",
            "commonLabels",
            "commonAnnotations",
            "rbac",
            "metrics",
            "envFrom",
        ):
            assert re.search(rf"^# .*\n{name}:", text, re.MULTILINE), name


def test_each_value_is_in_the_schema_and_has_a_default() -> None:
    keys = set(SCHEMA["properties"]) - {"global"}
    refused_by_name = {name for name, each in SCHEMA["properties"].items() if each is True}
    assert set(VALUES) == keys - refused_by_name
    pod = set(SCHEMA["definitions"]["pod"]["properties"])
    assert set(VALUES["podDefaults"]) == pod - {"image"}


def closed(schema: Any, place: str = "") -> None:
    """Fail for a map of named keys that takes any other."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and "type" in schema:
            assert schema.get("additionalProperties") is False, place
        for name, each in schema.items():
            closed(each, f"{place}/{name}")


def test_no_map_takes_an_unknown_key() -> None:
    closed(SCHEMA)


def test_the_files_of_the_pages_are_accepted() -> None:
    least: dict[str, Any] = {}
    for page in ("reference/helm-values.md", "how-to/kubernetes.md"):
        for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL):
            values = yaml.safe_load(block)
            least = least or values
            jsonschema.validate({**least, **values}, SCHEMA)


def test_the_files_of_the_planes_pages_are_accepted() -> None:
    schema = json.loads((ROOT / "deploy/helm/tradewind-plane/values.schema.json").read_text())
    closed(schema)
    checked = 0
    for page in ("reference/plane-helm-values.md", "how-to/plane-on-kubernetes.md"):
        text = (ROOT / "docs" / page).read_text().partition("## With Apache Airflow's own chart")[0]
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
            jsonschema.validate(yaml.safe_load(block), schema)
            checked += 1
    assert checked == 3
