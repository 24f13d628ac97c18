"""A Deployment is upgraded with tasks that run, brought back by itself, and restored by a person (scenarios 12 to 14).

The plane's Airflow has the releases of one minor: it is upgraded from the first to the newest one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import directories
from support.installed import ROOT, agent_settings, checkout, environments
from support.patience import stretched
from support.platform_process import PlatformProcess
from tradewind.embedded.agent import Agent
from tradewind.embedded.processes import wait_until

DAGS = Path(__file__).parent / "dags"
OLD, NEW, BROKEN = "3.3.0", "3.3.2", "3.3.99"
pytestmark = pytest.mark.timeout(1500)

WRAPPER = """#!/bin/sh
# A version whose migration breaks the database and fails.
case "$*" in
  *"version('apache-airflow-core')"*) echo {version}; exit 0;;
  *"airflow db migrate"*)
    {python} -c "import os, sqlite3; sqlite3.connect(os.environ['AIRFLOW_HOME'] + '/airflow.db').execute('DROP TABLE dag_tag')"
    echo "no such column: poisoned" >&2; exit 1;;
esac
exec {python} "$@"
"""


@pytest.fixture(scope="module")
def platform(directory: Path) -> Iterator[PlatformProcess]:
    lock = ROOT / "tests" / "on_airflow" / "oldest" / "airflow-3.3.txt"
    old = checkout().environment("plane-oldest", ("protocol", "provider"), lock=lock)
    new = environments().plane
    broken = directory / "broken-python"
    broken.write_text(WRAPPER.format(version=BROKEN, python=new))
    broken.chmod(0o755)
    with directories.short() as home:
        more = [part for python in (new, broken) for part in ("--plane-python", str(python))]
        made = PlatformProcess(home / "platform", old, *more)
        made.start()
        try:
            yield made
        finally:
            made.stop_everything()


class World:
    """A Deployment with an agent, and what is asked of it."""

    def __init__(self, platform: PlatformProcess, made: dict[str, Any], agent: Agent, gate: Path) -> None:
        self.platform, self.made, self.agent, self.gate = platform, made, agent, gate
        self.airflow = f"/v1/deployments/{made['id']}/airflow/api/v2"

    def until(self, condition: Any, what: str, timeout: float = 180) -> None:
        wait_until(condition, timeout=stretched(timeout), what=what, processes=[self.agent.process])

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        with self.platform.client() as client:
            return client.request(method, path, **more)

    def run(self, dag: str, run: str) -> None:
        self.until(
            lambda: self.ask("GET", f"{self.airflow}/dags/{dag}").status_code == 200, "the Dag is there"
        )
        self.ask("PATCH", f"{self.airflow}/dags/{dag}", json={"is_paused": False}).raise_for_status()
        body = {"dag_run_id": run, "logical_date": None}
        self.ask("POST", f"{self.airflow}/dags/{dag}/dagRuns", json=body).raise_for_status()

    def tasks(self, dag: str, run: str) -> list[dict[str, Any]]:
        answer = self.ask("GET", f"{self.airflow}/dags/{dag}/dagRuns/{run}/taskInstances")
        found: list[dict[str, Any]] = answer.json().get("task_instances", [])
        return found

    def states(self, dag: str, run: str) -> list[str]:
        return sorted(str(one["state"]) for one in self.tasks(dag, run))

    def deployment(self) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/v1/deployments/{self.made['id']}").json()
        return found

    def last_operation(self) -> dict[str, Any]:
        params = {"deployment": self.made["id"], "limit": 1}
        found: dict[str, Any] = self.ask("GET", "/v1/operations", params=params).json()["items"][0]
        return found


@pytest.fixture(scope="module")
def world(platform: PlatformProcess, directory: Path) -> Iterator[World]:
    made = platform.json("deployments", "create", "sales", "--version", OLD, "--wait")
    assert made["version"] == OLD
    file = directory / "upgrade-token"
    platform.command("--deployment", "sales", "tokens", "create", "first", "--to-file", str(file))
    gate = directory / "upgrade-gate"
    settings = agent_settings(
        home=directory / "upgraded",
        plane_url=made["agent_url"],
        token=file.read_text().strip(),
        dags=DAGS,
        site={"SITE_GATE": str(gate)},
        options={"slots": 8},
    )
    with Agent(settings) as agent:
        yield World(platform, made, agent, gate)


def test_scenario_12_tasks_that_run_and_tasks_that_are_deferred_survive_an_upgrade(world: World) -> None:
    world.run("upgraded", "first")
    wanted = ["deferred"] * 3 + ["running"] * 4
    world.until(lambda: world.states("upgraded", "first") == wanted, "four run and three are deferred")

    table = world.platform.command("deployments", "upgrade", "sales", "--to", NEW, "--dry-run")
    assert "refused" not in table and f"{OLD} → {NEW}" in table
    world.platform.command("deployments", "upgrade", "sales", "--to", NEW, "--wait")
    found = world.deployment()
    assert (found["phase"], found["version"]) == ("running", NEW)
    version = world.ask("GET", f"{world.airflow}/version").json()["version"]
    assert version == NEW

    world.gate.touch()
    done = ["success"] * 7
    world.until(lambda: world.states("upgraded", "first") == done, "all have succeeded")
    assert {one["try_number"] for one in world.tasks("upgraded", "first")} == {1}
    steps = {one["name"]: one for one in world.last_operation()["steps"]}
    gap = [
        datetime.fromisoformat(steps[name][at].replace("Z", "+00:00"))
        for name, at in (("stop", "started_at"), ("start", "ended_at"))
    ]
    print(f"nothing was scheduled for {(gap[1] - gap[0]).total_seconds():.0f} s")


def test_scenario_13_a_migration_that_fails_is_undone_by_itself_with_the_same_runs(world: World) -> None:
    before = world.states("upgraded", "first")
    failed = world.platform.command("deployments", "upgrade", "sales", "--to", BROKEN, "--wait", fails=True)
    assert "migrate: airflow db migrate" in failed and "poisoned" in failed
    operation = world.last_operation()
    assert (operation["state"], operation["error"].partition(":")[0]) == ("failed", "migrate")
    assert "restore before" in [one["name"] for one in operation["steps"]]
    found = world.deployment()
    assert (found["phase"], found["version"]) == ("running", NEW)
    assert world.states("upgraded", "first") == before
    home = world.platform.home / "local" / "deployments" / world.made["slug"]
    with sqlite3.connect(home / "airflow.db") as database:
        assert database.execute("SELECT count(*) FROM dag_tag").fetchone() == (0,), "as it was"


def test_scenario_14_a_rollback_says_how_many_runs_it_forgets_and_fences_what_they_run(world: World) -> None:
    world.gate.unlink()
    world.run("held", "second")
    world.until(lambda: world.states("held", "second") == ["running"], "it runs")
    listed = world.platform.json("deployments", "backups", "list", "sales")["items"]
    first = listed[-1]
    assert (first["version"], first["state"]) == (OLD, "succeeded")

    refused = world.platform.command("deployments", "rollback", "sales", "--backup", first["id"], fails=True)
    assert "1 runs since" in refused and "--accept-loss" in refused
    assert world.states("held", "second") == ["running"]

    world.platform.command(
        "deployments", "rollback", "sales", "--backup", first["id"], "--accept-loss", "--wait"
    )
    assert world.deployment()["version"] == OLD
    assert world.ask("GET", f"{world.airflow}/dags/held/dagRuns/second").status_code == 404

    def alone() -> bool:
        items = world.platform.json("--deployment", "sales", "attempts", "list")["items"]
        return not [one for one in items if one["run_id"] == "second"]

    assert alone()

    def stopped() -> bool:
        lines = world.agent.process.log.read_text().splitlines()
        return any("attempt_stopped" in line and "held.hold [second" in line for line in lines)

    world.until(stopped, "the agent stops what is forgotten")


def test_scenario_18_a_backup_has_no_secret_in_clear_and_its_files_are_for_the_platform_alone(
    world: World,
) -> None:
    config = world.platform.home / "local" / "deployments" / world.made["slug"] / "airflow.cfg"
    fernet = config.read_text().partition("fernet_key = ")[2].partition("\n")[0]
    files = [one for one in (world.platform.home / "local" / "backups").rglob("*") if one.is_file()]
    assert files and len(fernet) > 30
    for one in files:
        assert one.stat().st_mode & 0o077 == 0
        text = one.read_bytes()
        assert fernet.encode() not in text and b"CREATE TABLE" not in text
