"""Settings and chart values that a page shows are those that the agent, the gateway and the charts take."""

from __future__ import annotations

import base64
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml

from tradewind.gateway.settings import GatewaySettings
from tradewind_agent import rules
from tradewind_agent.settings.schema import Settings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "packages").glob("*/README.md"))]
SCHEMAS = {
    file.parent.name: {**json.loads(file.read_text(encoding="utf-8")), "required": []}
    for file in sorted((ROOT / "deploy" / "helm").glob("*/values.schema.json"))
}
# What a sample may leave out, because it is on the page before it, or in every file.
_MINIMUM: Final = {"plane_url": "https://airflow.example.com", "token_file": "/etc/tradewind/token"}
_OTHERS: Final = {"triggers", "scrape_configs", "rule_files", "args", "airflowVersion", "warehouse", "kind"}
"""Keys of files that are not ours: KEDA, Prometheus, pods, Airflow's chart, connections, objects of Kubernetes."""


# In the place of one that is cut short with an ellipsis.
_KEY: Final = base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(32)).decode()


def samples(page: Path, language: str) -> Iterator[str]:
    text = page.read_text(encoding="utf-8")
    for block in re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
        yield re.sub(r"AAAA\w*…", _KEY, textwrap.dedent(block))


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if next(samples(page, language), None) is not None]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def take_settings(sample: dict[str, Any]) -> None:
    """Raises ValueError for what is no file of ours, or not as we take it."""
    if "deployments" in sample:
        GatewaySettings.model_validate(sample)
    elif sample.keys() <= Settings.model_fields.keys():
        Settings.model_validate({**_MINIMUM, **sample})
    else:  # the file of `rules_file`
        rules.parse(sample)


@pytest.mark.parametrize("page", pages_with("toml"), ids=named)
def test_a_sample_of_settings_is_taken(page: Path) -> None:
    for sample in samples(page, "toml"):
        take_settings(tomllib.loads(sample))


@pytest.mark.parametrize("page", pages_with("yaml"), ids=named)
def test_a_sample_of_chart_values_fits_a_chart(page: Path) -> None:
    for sample in samples(page, "yaml"):
        for values in yaml.safe_load_all(sample):
            if not values.keys() & _OTHERS:
                assert any(fits(values, schema) for schema in SCHEMAS.values()), sample


def fits(values: Any, schema: dict[str, Any]) -> bool:
    """Whether a chart takes it beside what it needs."""
    problems = jsonschema.Draft7Validator(schema).iter_errors(values)
    return all(problem.validator == "required" for problem in problems)


@pytest.mark.parametrize(
    "sample",
    [
        {"slotz": 3},
        {"environments": {"env": {}}},
        {"deployments": [], "hots": "x"},
        {"dags": ["*"], "userz": []},
    ],
    ids=["no setting", "no list", "not of the gateway", "no rule"],
)
def test_a_sample_that_is_not_taken_is_found(sample: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        take_settings(sample)


def test_values_that_no_chart_takes_are_found() -> None:
    assert not any(fits({"workers": {"default": {"slotz": 3}}}, schema) for schema in SCHEMAS.values())
