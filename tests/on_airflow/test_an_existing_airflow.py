"""An Airflow that has Dags and an executor of its own becomes a plane: PostgreSQL, two schedulers, two API servers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import postgresql
from support.airflow_rest import AirflowRest, eventually
from support.deployment import JOURNAL, Deployment, run_site
from support.installed import plane_settings
from tradewind.embedded import plane
from tradewind.embedded.agent import local_bundle

DAGS = Path(__file__).parent / "dags_shared"


@dataclass
class Existing(Deployment):
    """A plane with an executor of its own, and where its tasks write their journal."""

    planes_journal: Path


@pytest.fixture(scope="module")
def existing(directory: Path, postgresql_server: postgresql.PostgreSQL) -> Iterator[Existing]:
    home = directory / "existing"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PYTHONPATH", JOURNAL)
        environment.setenv("SITE_JOURNAL", str(home / "planes-journal"))
        settings = plane_settings(
            home=home / "plane",
            database=postgresql_server.new_database(),
            executor="LocalExecutor,tradewind_provider.executor.RemoteExecutor",
            schedulers=2,
            api_servers=2,
            stock=True,
            options={
                "core": {"parallelism": "2"},
                "scheduler": {"scheduler_idle_sleep_time": "0.5"},
                "dag_processor": {"dag_bundle_config_list": json.dumps([local_bundle("own", DAGS)])},
            },
        )
        with plane.Plane(settings) as running, running.client() as http:
            options = {"bundles": [local_bundle("own", DAGS)]}
            site = run_site(home / "site", running, dags=DAGS, components=["worker"], options=options)
            with site as (agent, site_home):
                rest = AirflowRest(http)
                rest.wait_for_dags(["shared", "many"])
                yield Existing(running, agent, site_home, rest, home / "planes-journal")


@pytest.mark.timeout(300)
def test_each_task_runs_where_its_executor_says(existing: Existing) -> None:
    assert existing.rest.run("shared").state == "success"
    assert [entry["where"] for entry in existing.journal("ran")] == ["there"]
    there = existing.planes_journal.read_text().splitlines()
    assert [json.loads(line)["where"] for line in there] == ["here"]


def test_every_task_runs_once_whichever_scheduler_and_api_server_served_it(existing: Existing) -> None:
    runs = [existing.rest.trigger("many") for _ in range(3)]
    for run_id in runs:
        assert existing.rest.wait_for_run("many", run_id).state == "success"
    assert Counter(entry["n"] for entry in existing.journal("one")) == dict.fromkeys(range(40), 3)


def test_both_api_servers_hand_out_work_and_answer(existing: Existing) -> None:
    for port in existing.plane.ports:
        with existing.plane.client(port=port) as http:
            agents = http.get("/tradewind/v1/agents").json()["items"]
            assert [each["state"] for each in agents] == ["healthy"]
    existing.plane.api_servers[1].stop(grace=15)
    before = len(existing.journal("one"))
    run_id = existing.rest.trigger("many")
    assert existing.rest.wait_for_run("many", run_id).state == "success"
    eventually(lambda: len(existing.journal("one")) == before + 40, timeout=10, what="each ran once")
