"""docs/reference/helm-values.md and the values it is made of."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
from typing import Any

import jsonschema
import pytest
import yaml

from support.cluster import CACHE
from support.installed import ROOT

AIRFLOWS = CACHE / "charts/airflow-1.22.0.tgz"
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
        text = (ROOT / "docs" / page).read_text()
        for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL):
            jsonschema.validate(yaml.safe_load(block), schema)
            checked += 1
    assert checked == 3


def named_in(column: int) -> list[str]:
    """The values that a column of the table beside other charts names."""
    table = (ROOT / "docs/reference/helm-values.md").read_text().partition("## Beside other charts")[2]
    cells = [row.split("|")[column + 1] for row in table.splitlines() if row.startswith("| ")][1:]
    return [name for cell in cells for name in re.findall(r"`([A-Za-z.]+)`", cell)]


def test_each_value_that_the_table_names_is_one_of_this_chart() -> None:
    text = json.dumps(SCHEMA)
    settings = {"preStop", "grace", "emptyDir", "ephemeral", "claim"}
    unknown = [
        name
        for name in named_in(3)
        if name not in settings
        and not name.startswith("settings.")
        and f'"{name.split(".")[-1]}"' not in text
    ]
    assert unknown == []


@pytest.mark.skipif(not AIRFLOWS.exists(), reason="the chart of Airflow is not fetched: `make kubernetes`")
def test_each_value_that_the_table_names_of_airflows_chart_is_one_of_it() -> None:
    with tarfile.open(AIRFLOWS) as archive:
        file = archive.extractfile("airflow/values.schema.json")
        assert file
        schema = json.load(file)

    def is_there(name: str) -> bool:
        at = schema
        for key in name.split("."):
            if key not in at.get("properties", {}):
                return False
            at = at["properties"][key]
        return True

    assert [name for name in named_in(1) if not is_there(name)] == []
