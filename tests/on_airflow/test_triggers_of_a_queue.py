"""Where a site turns on Airflow's `[triggerer] queues_enabled`, triggers go to agents that serve their task's queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.deployment import Deployment, run_site, site_key

DAGS = Path(__file__).parent / "dags_queued"


@pytest.fixture(scope="module")
def near(deployment: Deployment, directory: Path) -> Iterator[Deployment]:
    """Brings the Dag, and would run any trigger that has no queue."""
    site = run_site(
        directory / "near",
        deployment.plane,
        name="near",
        bundle="queued",
        dags=DAGS,
        options={"site_key_file": site_key(directory)},
    )
    with site as (agent, home):
        deployment.rest.wait_for_dags(["queued"])
        yield Deployment(deployment.plane, agent, home, deployment.rest)


@pytest.fixture(scope="module")
def afar(deployment: Deployment, directory: Path, near: Deployment) -> Iterator[Deployment]:
    """The only one that serves the queue of the tasks."""
    site = run_site(
        directory / "afar",
        deployment.plane,
        name="afar",
        bundle="queued",
        dags=DAGS,
        queues=("afar",),
        components=("worker", "triggerer"),
        site={"AIRFLOW__TRIGGERER__QUEUES_ENABLED": "True"},
        options={"site_key_file": site_key(directory)},
    )
    with site as (agent, home):
        yield Deployment(deployment.plane, agent, home, deployment.rest)


def test_triggers_run_where_their_tasks_queue_is_served(near: Deployment, afar: Deployment) -> None:
    assert near.rest.run("queued").state == "success"
    assert sorted(entry["number"] for entry in afar.journal("trigger_ran")) == [1, 2, 3, 4, 5, 6]
    assert len(afar.journal("resumed")) == 6
    assert near.journal("trigger_ran") == []
