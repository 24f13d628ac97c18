"""Two agents of one site: with a storage each, what one returned is an error on the other; with one storage it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.airflow_rest import eventually
from support.deployment import Deployment, run_site, site_key

DAGS = Path(__file__).parent / "dags_apart"


@contextmanager
def two_agents(deployment: Deployment, home: Path, **options: Any) -> Iterator[tuple[Deployment, Deployment]]:
    """One brings the Dag and serves the queue `here`, the other serves the queue `there`."""
    home.mkdir()
    options = {"site_key_file": site_key(home), **options}  # one, so that only their storages differ
    common = {"bundle": "apart", "dags": DAGS, "options": options}
    here = run_site(home / "here", deployment.plane, name=f"{home.name}-here", queues=("here",), **common)
    with here as (agent, site):
        deployment.rest.wait_for_dags(["handed_over"])
        first = Deployment(deployment.plane, agent, site, deployment.rest)
        there = run_site(
            home / "there",
            deployment.plane,
            name=f"{home.name}-there",
            queues=("there",),
            components=["worker"],
            **common,
        )
        with there as (agent, site):
            yield first, Deployment(deployment.plane, agent, site, deployment.rest)


def storage_findings(deployment: Deployment, site: str) -> list[dict[str, Any]]:
    """What the two agents were told: the one whose task environment was ready later has the finding."""
    found = deployment.rest.http.get("/tradewind/v1/agents").json()["items"]
    return [
        finding
        for each in found
        if each["name"] in (f"{site}-here", f"{site}-there")
        for finding in each["findings"]
        if finding["check"] == "storage:default"
    ]


@pytest.mark.timeout(300)
def test_what_another_agent_stored_is_an_error_that_names_both_and_never_a_value(
    deployment: Deployment, directory: Path
) -> None:
    with two_agents(deployment, directory / "each") as (here, there):
        eventually(lambda: bool(storage_findings(there, "each")), timeout=90, what="it is told")
        (finding,) = storage_findings(there, "each")
        assert "Set `storage`" in finding["remedy"]
        run = there.rest.run("handed_over", timeout=180)
        assert run.state == "failed"
        assert there.journal("counted") == []
        logs = list((there.agent.state_dir / "task-logs").rglob("attempt=1.log"))
        text = "".join(each.read_text() for each in logs if "task_id=count" in str(each))
        assert "ForeignReference" in text
        assert f"file://{here.agent.state_dir}/xcom" in text
        assert f"file://{there.agent.state_dir}/xcom" in text


@pytest.mark.timeout(300)
def test_agents_that_share_a_storage_hand_values_over(deployment: Deployment, directory: Path) -> None:
    with two_agents(deployment, directory / "one", storage=str(directory / "one" / "storage")) as (_, there):
        run = there.rest.run("handed_over", timeout=180)
        assert run.state == "success"
        assert sorted(entry["region"] for entry in there.journal("counted")) == ["eu", "us"]
        assert storage_findings(there, "one") == []
