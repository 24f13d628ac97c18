"""A plane that also runs tasks itself: each log is read from where it is, in Airflow's page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.airflow_rest import AirflowRest, eventually
from support.deployment import Deployment, run_site
from support.installed import plane_settings
from tradewind.embedded import plane
from tradewind.embedded.agent import local_bundle

DAGS = Path(__file__).parent / "dags_mixed"
PLANES = ["planes_own", "planes_own_deferred"]


@pytest.fixture(scope="module")
def mixed(directory: Path, database_server: Any) -> Iterator[Deployment]:
    home = directory / "mixed"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PLANE_WATCHED", str(home / "planes"))
        environment.setenv("PYTHONPATH", str(DAGS / "plane"))
        settings = plane_settings(
            home=home / "plane",
            database=database_server.new_database() if database_server else None,
            executor="LocalExecutor,tradewind_provider.executor.RemoteExecutor",
            stock=True,
            options={
                "core": {"parallelism": "2"},
                "scheduler": {"scheduler_idle_sleep_time": "0.5"},
                "dag_processor": {
                    "dag_bundle_config_list": json.dumps([local_bundle("own", DAGS / "plane")])
                },
            },
        )
        with plane.Plane(settings) as running, running.client() as http:
            rest = AirflowRest(http)
            with run_site(home / "site", running, dags=DAGS / "site") as (agent, site):
                rest.wait_for_dags([*PLANES, "sites_own"])
                yield Deployment(plane=running, agent=agent, site=site, rest=rest)


def words(there: Deployment, dag_id: str, run_id: str, task_id: str) -> list[str]:
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/1"
    return [str(line["event"]) for line in there.rest.get(path)["content"]]


def see(there: Deployment, dag_id: str, run_id: str, task_id: str, wanted: str) -> list[str]:
    """The log once it has those words."""
    eventually(
        lambda: wanted in words(there, dag_id, run_id, task_id),
        timeout=30,
        what=lambda: f"{wanted!r} is shown: {words(there, dag_id, run_id, task_id)}",
    )
    return words(there, dag_id, run_id, task_id)


@pytest.mark.parametrize(
    ("dag_id", "where", "go"),
    [("planes_own", "on the plane", "planes-go"), ("sites_own", "at the site", "site/watched-go")],
)
def test_a_task_is_read_while_it_runs_and_when_it_has_ended(
    mixed: Deployment, dag_id: str, where: str, go: str
) -> None:
    run_id = mixed.rest.trigger(dag_id)
    mixed.rest.wait_for_task(dag_id, run_id, "talk", ["running"])
    shown = see(mixed, dag_id, run_id, "talk", f"first words {where}")
    assert f"last words {where}" not in shown
    assert not [each for each in shown if "No agent" in each], shown
    (mixed.plane.home.parent / go).touch()
    assert mixed.rest.wait_for_run(dag_id, run_id).state == "success"
    shown = words(mixed, dag_id, run_id, "talk")
    assert shown.count(f"first words {where}") == shown.count(f"last words {where}") == 1, shown
    assert not [each for each in shown if "No agent" in each or "Could not read" in each], shown


def test_the_words_of_the_planes_own_trigger_are_read(mixed: Deployment) -> None:
    run_id = mixed.rest.trigger("planes_own_deferred")
    mixed.rest.wait_for_task("planes_own_deferred", run_id, "defers", ["deferred"])
    see(mixed, "planes_own_deferred", run_id, "defers", "words of the plane's trigger")
    (mixed.plane.home.parent / "planes-go-trigger").touch()
    assert mixed.rest.wait_for_run("planes_own_deferred", run_id).state == "success"
    shown = words(mixed, "planes_own_deferred", run_id, "defers")
    assert [each for each in shown if each.startswith("words")] == [
        "words before the trigger",
        "words of the plane's trigger",
        "words after the trigger",
    ]


def test_logs_of_both_are_there_when_the_agent_is_gone(mixed: Deployment) -> None:
    """Who ran it decides where it is looked for; the plane's own are read whatever agents do."""
    runs = {
        dag_id: mixed.rest.get(f"/dags/{dag_id}/dagRuns")["dag_runs"][0]["dag_run_id"]
        for dag_id in ("planes_own", "sites_own")
    }
    mixed.agent.stop()
    assert "last words on the plane" in words(mixed, "planes_own", runs["planes_own"], "talk")
    eventually(
        lambda: any(
            "The log is at the site of agent" in each
            for each in words(mixed, "sites_own", runs["sites_own"], "talk")
        ),
        timeout=60,
        what=lambda: words(mixed, "sites_own", runs["sites_own"], "talk"),
    )
