"""The chart's values on each cloud's page make agents what the page's settings make them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from support import charts, pages
from support.charts import environment, pod_of
from tradewind_agent.settings import Settings

LEAST: dict[str, Any] = {
    "planeUrl": "https://airflow.example.com",
    "token": {"existingSecret": "site-token"},
    "siteKey": {"existingSecret": "site-key"},
    "image": {"repository": "registry.example.com/etl", "tag": "7"},
}
CLOUDS = {"site-on-aws.md": (0, 2), "site-on-azure.md": (0, 1), "site-on-google-cloud.md": (0, 1)}
"""Each page, and which of its samples are the secrets backend's and the stores'."""


@pytest.fixture(params=CLOUDS)
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def values_of(page: str) -> dict[str, Any]:
    [block] = pages.blocks(page, "yaml")
    found: dict[str, Any] = yaml.safe_load(block)
    return found


def agents_of(page: str) -> dict[str, dict[str, Any]]:
    """What runs an agent, by name."""
    made = charts.render(charts.AGENT, {**LEAST, **values_of(page)})
    charts.valid(made)
    return {name: one for name, one in made.workloads().items() if "TRADEWIND_AGENT_NAME" in environment(one)}


def parsed(variables: dict[str, Any]) -> dict[str, Any]:
    """Keyword arguments compared as what they mean."""
    return {
        name: json.loads(value) if name.endswith("_KWARGS") else value for name, value in variables.items()
    }


def test_every_agent_has_the_variables_of_the_pages_settings(page: str) -> None:
    wanted = {name: value for block in CLOUDS[page] for name, value in pages.environment(page, block).items()}
    agents = agents_of(page)
    assert len(agents) >= 3
    for one in agents.values():
        given = {name: value for name, value in environment(one).items() if name in wanted}
        assert parsed(given) == parsed(wanted)


def test_every_agent_reads_the_pages_storage(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for one in agents_of(page).values():
        with monkeypatch.context() as only:
            for name, value in environment(one).items():
                only.setenv(name, value if isinstance(value, str) else "from-elsewhere")
            read = Settings()  # type: ignore[call-arg]
        assert read.storage == pages.settings(page, CLOUDS[page][1])["storage"]


def test_every_agents_account_has_the_clouds_identity(page: str) -> None:
    given = values_of(page)["podDefaults"]["serviceAccount"]
    made = charts.render(charts.AGENT, {**LEAST, **values_of(page)})
    for name, one in agents_of(page).items():
        account = made["ServiceAccount", pod_of(one)["serviceAccountName"]]
        assert given["annotations"].items() <= account["metadata"]["annotations"].items(), name
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert given.get("podLabels", {}).items() <= labels.items(), name
