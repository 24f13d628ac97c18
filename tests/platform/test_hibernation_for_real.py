"""A Deployment with a real agent hibernates and wakes up (scenario 16)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.installed import agent_settings
from support.patience import stretched
from support.platform_process import PlatformProcess
from tradewind.embedded.agent import Agent
from tradewind.embedded.processes import wait_until

DAGS = Path(__file__).parent / "dags"


@pytest.fixture(scope="module")
def naps(platform: PlatformProcess) -> Iterator[dict[str, Any]]:
    made: dict[str, Any] = platform.json("deployments", "create", "naps", "--wait")
    yield made
    platform.command("deployments", "delete", "naps", "--yes", "--wait")


@pytest.fixture
def agent(platform: PlatformProcess, naps: dict[str, Any], directory: Path) -> Iterator[Agent]:
    file = directory / "naps-token"
    platform.command("--deployment", "naps", "tokens", "create", "first", "--to-file", str(file))
    settings = agent_settings(
        home=directory / "naps",
        plane_url=naps["agent_url"],
        token=file.read_text().strip(),
        dags=DAGS,
        site={"SITE_GATE": str(directory / "gate")},
    )
    with Agent(settings) as made:
        yield made


def test_scenario_16_it_waits_for_a_task_sleeps_and_wakes_and_its_agent_says_so_once(
    platform: PlatformProcess, naps: dict[str, Any], agent: Agent, directory: Path
) -> None:
    airflow = f"/v1/deployments/{naps['id']}/airflow/api/v2"

    def until(condition: Any, what: str, timeout: float = 120) -> None:
        wait_until(condition, timeout=stretched(timeout), what=what, processes=[agent.process])

    with platform.client() as client:

        def states() -> list[str]:
            answer = client.get(f"{airflow}/dags/held/dagRuns/first/taskInstances")
            return [one["state"] for one in answer.json().get("task_instances", ())]

        def found() -> dict[str, Any]:
            view: dict[str, Any] = client.get(f"/v1/deployments/{naps['id']}").json()
            return view

        until(lambda: client.get(f"{airflow}/dags/held").status_code == 200, "the Dag is there")
        client.patch(f"{airflow}/dags/held", json={"is_paused": False}).raise_for_status()
        run = {"dag_run_id": "first", "logical_date": None}
        client.post(f"{airflow}/dags/held/dagRuns", json=run).raise_for_status()
        until(lambda: states() == ["running"], "the task runs")

        platform.command("deployments", "hibernate", "naps", "--for", "90s")

        def waits() -> bool:
            step = client.get("/v1/operations", params={"deployment": naps["id"]}).json()["items"][0]["steps"]
            return any("waits for held.hold" in one["message"] for one in step)

        until(waits, "it waits for the task")
        listed = platform.json("--deployment", "naps", "agents", "list")["items"]
        assert [one["state"] for one in listed] == ["cordoned"] and states() == ["running"]

        (directory / "gate").touch()
        until(lambda: found()["phase"] == "asleep", "it sleeps")
        assert platform.processes(naps["slug"]) == [] and found()["health"] == "asleep"
        answer = httpx.get(f"{naps['agent_url']}/remote-execution/v1/readyz")
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) <= 30
        assert answer.json()["detail"]["reason"] == "deployment_hibernating"
        people = platform.people(naps["slug"], "/")
        assert people.status_code == 503 and "hibernates" in people.text
        refused = platform.command("--deployment", "naps", "agents", "list", fails=True)
        assert "is asleep" in refused
        until(lambda: "deployment_closed" in agent.process.log.read_text(), "the agent says it")

        until(lambda: found()["phase"] == "running", "it wakes by itself when the override is over", 240)
        woken = datetime.now(timezone.utc)

        def healthy() -> bool:
            items = platform.json("--deployment", "naps", "agents", "list")["items"]
            return [one["state"] for one in items] == ["healthy"]

        until(healthy, "the agent is back, and is not cordoned")
        took = (datetime.now(timezone.utc) - woken).total_seconds()
        assert took <= stretched(30)
        assert states() == ["success"]
        said = agent.process.log.read_text()
        assert said.count("deployment_closed") == 1 and "poll_failed" not in said, said[-3000:]
