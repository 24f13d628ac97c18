"""XCom values, state and task logs of a site under `strict` in S3, Azure Blob and Google Cloud Storage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backends.stores_of import STORES, TOLD, XCOMS, Store, unavailable
from support.airflow_rest import AirflowRest, Run, eventually
from support.cloud.server import Servers
from support.deployment import run_site, site_key
from tradewind.embedded.agent import Agent
from tradewind.embedded.plane import Plane

pytestmark = pytest.mark.timeout(900)

DAGS = Path(__file__).parent / "dags_stores"


@dataclass
class StoreSite:
    """A site with two agents, whose values and logs are in one store. Only the first agent runs the Dags' queue."""

    store: Store
    rest: AirflowRest
    home: Path
    first: Agent
    second: Agent

    def run(self, which: str) -> Run:
        return self.rest.run(f"{self.store.name}_{which}", timeout=240)

    def told(self) -> dict[str, str]:
        lines = [json.loads(line) for line in (self.home / "first" / "journal").read_text().splitlines()]
        return {each["where"]: each["value"] for each in lines if each["event"] == "told"}

    def log(self, run: Run, task: str) -> str:
        """What a person reads on the log page."""
        found = self.rest.get(f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task}/logs/1")
        return "\n".join(str(line["event"]) for line in found["content"])

    def findings(self) -> list[dict[str, Any]]:
        agents = self.rest.http.get("/tradewind/v1/agents").json()["items"]
        return [
            finding
            for each in agents
            if each["name"].startswith(f"{self.store.name}-")
            for finding in each["findings"]
            if finding["check"] == "task-logs"
        ]


@pytest.fixture(scope="module", params=STORES, ids=lambda kind: kind.name)
def site(
    request: pytest.FixtureRequest, servers: Servers, plane: Plane, directory: Path
) -> Iterator[StoreSite]:
    if problem := unavailable(request.param):
        pytest.skip(problem)
    home = directory / f"store-{request.param.name}"
    with request.param(servers) as store, plane.client() as http:
        rest = AirflowRest(http)
        common: dict[str, Any] = {
            "dags": DAGS,
            "bundle": store.name,
            "tasks": store.interpreter,
            "site": {**store.variables(), "SITE_NAME": store.name},
            "options": {"storage": store.storage, "site_key_file": site_key(home)},
        }
        first = run_site(home / "first", plane, name=f"{store.name}-first", **common)
        second = run_site(
            home / "second",
            plane,
            name=f"{store.name}-second",
            queues=("spare",),
            components=["worker"],
            **common,
        )
        with first as (one, _), second as (two, _):
            rest.wait_for_dags([f"{store.name}_{each}" for each in ("stored", "talks", "dies")], timeout=180)
            yield StoreSite(store, rest, home, one, two)


def test_values_reach_every_kind_of_code_as_they_were(site: StoreSite) -> None:
    run = site.run("stored")
    assert run.state == "success", {
        task: site.log(run, task) for (task, _), state in run.tasks.items() if state == "failed"
    }
    assert site.told() == TOLD
    names = site.store.names()
    assert sum(f"values/xcom/{run.dag_id}/{run.run_id}/" in name for name in names) == XCOMS
    assert any("values/state/assets/" in name for name in names)
    log = site.log(run, "deferring")
    for line in ("before the trigger", "the trigger reads", "after the trigger"):
        assert log.count(line) == 1, log


def test_a_task_that_is_cleared_leaves_nothing_behind(site: StoreSite) -> None:
    run = site.run("stored")
    before = {name for name in site.store.names() if "/t/numbers/" in name or "/numbers/" in name}
    body = {"dry_run": False, "dag_run_id": run.run_id, "task_ids": ["numbers"], "only_failed": False}
    site.rest.send("POST", f"/dags/{run.dag_id}/clearTaskInstances", body)
    eventually(
        lambda: (
            site.rest.get(f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/numbers")["try_number"] == 2
            and site.rest.get(f"/dags/{run.dag_id}/dagRuns/{run.run_id}")["state"] == "success"
        ),
        timeout=120,
        what="it ran again",
    )
    of_run = [
        name for name in site.store.names() if run.dag_id in name and "/numbers/" in name and "/xcom/" in name
    ]
    assert before
    assert len(of_run) == len({name for name in before if "/xcom/" in name})


def test_a_log_that_the_store_does_not_take_is_told_of_and_uploaded_later(site: StoreSite) -> None:
    with site.store.relay.away():
        run = site.run("talks")
        log = site.log(run, "talks")
        assert "line 2 of the site" in log
        # The clouds' libraries try for up to two minutes, each time, before they say that they cannot.
        eventually(
            lambda: "uploads it later" in site.log(run, "talks"), timeout=180, what="the upload has failed"
        )
        eventually(lambda: bool(site.findings()), timeout=180, what="the finding is on the page")
    eventually(lambda: not site.findings(), timeout=400, what="the log is uploaded")
    assert any(f"logs/dag_id={run.dag_id}/" in name for name in site.store.names())
    again = site.log(run, "talks")
    assert again.count("line 2 of the site") == 1


def test_a_log_of_a_task_that_was_killed_is_uploaded(site: StoreSite) -> None:
    run = site.run("dies")
    assert run.state == "failed"
    eventually(
        lambda: any(f"logs/dag_id={run.dag_id}/" in name for name in site.store.names()),
        timeout=90,
        what="the log is uploaded",
    )
    assert "last words" in site.log(run, "dies")


def test_another_agent_shows_the_log_of_one_that_is_gone(site: StoreSite) -> None:
    run = site.run("talks")
    assert "line 2 of the site" in site.log(run, "talks")
    site.first.stop()
    try:
        log = site.log(run, "talks")
        assert "line 2 of the site" in log
        assert "gone since" not in log.partition("::endgroup::")[2], "only the details of its sources say so"
    finally:
        site.first.__enter__()
