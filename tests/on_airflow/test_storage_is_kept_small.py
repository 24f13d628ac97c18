"""An agent's disk is kept small as the page says, with the command that an owner gives: by age, by size, and nothing of what is fresh."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support import pages
from support.airflow_rest import Run
from support.deployment import Deployment, run_site
from support.installed import environments
from tradewind.embedded.agent import Agent

DAGS = Path(__file__).parent / "dags_kept"
HOUR = 3600

pytestmark = pytest.mark.timeout(900)


@contextmanager
def agent_with(deployment: Deployment, directory: Path, **options: Any) -> Iterator[Agent]:
    """An agent that keeps what these settings say."""
    common: dict[str, Any] = {"name": directory.name, "bundle": "kept", "dags": DAGS, "queues": ("kept",)}
    with run_site(directory, deployment.plane, options=options, **common) as (agent, _):
        deployment.rest.wait_for_dags(["keeps"])
        yield agent


def storage(agent: Agent, *arguments: str) -> Mapping[str, Any]:
    """What the page's command says, run as the owner runs it."""
    command = [str(environments().agent), "-m", "tradewind_agent", "storage", "-o", "json"]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "TRADEWIND"))
    }
    told = subprocess.run(
        [*command, "--config", str(agent.home / "agent.toml"), *arguments],
        env=kept,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    found: Mapping[str, Any] = json.loads(told.stdout)
    assert found["problems"] == []
    return found


def files(agent: Agent, kind: str, run: Run) -> list[Path]:
    """What is stored of a run, in the order of the names."""
    root = agent.state_dir / kind
    return sorted(path for path in root.rglob("*") if path.is_file() and run.run_id in str(path))


def age(agent: Agent, run: Run, *, hours: float) -> None:
    """Its files were last written so many hours ago."""
    moment = time.time() - hours * HOUR
    aged = files(agent, "task-logs", run) + files(agent, "xcom", run)
    assert aged
    for path in aged:
        os.utime(path, (moment, moment))


def whys(report: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(each["kind"], each["why"]) for each in report["removals"]}


def test_logs_older_than_their_days_go_and_values_without_a_limit_stay(
    deployment: Deployment, directory: Path
) -> None:
    a_second = 1 / 86_400
    with agent_with(deployment, directory / "by-age", keep_logs_days=a_second) as agent:
        run = deployment.rest.run("keeps")
        assert run.state == "success"
        assert storage(agent, "--clean")["removals"] == [], "what was written within the last hour stays"
        age(agent, run, hours=2)
        looked = storage(agent)
        assert [kind for kind, _ in whys(looked)] == ["log"]
        assert files(agent, "task-logs", run), "nothing is removed by looking"
        cleaned = storage(agent, "--clean")
        assert cleaned["removed"]["bytes"] > 20_000
        assert files(agent, "task-logs", run) == []
        assert files(agent, "xcom", run)
        assert storage(agent, "--clean")["removals"] == []


def test_the_runs_that_ended_longest_ago_go_while_more_is_stored_than_is_kept(
    deployment: Deployment, directory: Path
) -> None:
    with agent_with(deployment, directory / "by-size", keep_bytes=170_000) as agent:
        first, second, third = (deployment.rest.run("keeps") for _ in range(3))
        for hours, run in ((4, first), (3, second), (2, third)):
            age(agent, run, hours=hours)
        stored = {
            run.run_id: files(agent, "task-logs", run) + files(agent, "xcom", run)
            for run in (first, second, third)
        }
        size = sum(path.stat().st_size for paths in stored.values() for path in paths)
        assert 170_000 < size < 255_000, "two runs are less than is kept, three are more"
        cleaned = storage(agent, "--clean")
        assert {why for _, why in whys(cleaned)} == {"more than 170000 bytes are stored"}
        left = {run for run, paths in stored.items() if all(path.exists() for path in paths)}
        assert left == {second.run_id, third.run_id}
        kept = sum(path.stat().st_size for paths in stored.values() for path in paths if path.exists())
        assert kept <= 170_000


def test_the_settings_of_the_page_are_settings_of_the_agent() -> None:
    given = pages.settings("keep-storage-small.md", 0)
    assert given == {"keep_values_days": 30, "keep_logs_days": 90, "keep_bytes": 50_000_000_000}
