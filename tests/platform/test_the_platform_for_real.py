"""The platform as its commands, with real planes: scenarios 1 to 4, 10, 17 and 18 as far as one machine and one user show them."""

from __future__ import annotations

import json
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
def sales(platform: PlatformProcess) -> dict[str, Any]:
    """A Deployment, made by the command."""
    found: dict[str, Any] = platform.json("deployments", "create", "sales", "--wait")
    return found


@pytest.fixture(scope="module")
def agent_token(platform: PlatformProcess, sales: dict[str, Any], directory: Path) -> str:
    file = directory / "agent-token"
    platform.command("--deployment", "sales", "tokens", "create", "first", "--to-file", str(file))
    return file.read_text().strip()


def test_scenario_2_a_deployment_is_healthy_when_create_returns(sales: dict[str, Any]) -> None:
    assert (sales["phase"], sales["health"], sales["health_reason"]) == ("running", "healthy", "")
    assert {one["status"] for one in sales["conditions"]} == {"true"}


def test_scenario_2_an_agent_with_only_url_and_token_runs_a_dag_through_the_gateway(
    platform: PlatformProcess, sales: dict[str, Any], agent_token: str, directory: Path
) -> None:
    settings = agent_settings(
        home=directory / "agent", plane_url=sales["agent_url"], token=agent_token, dags=DAGS
    )
    airflow = f"/v1/deployments/{sales['id']}/airflow/api/v2"
    with Agent(settings) as agent, platform.client() as client:

        def parsed() -> bool:
            return client.get(f"{airflow}/dags/sums").status_code == 200

        wait_until(parsed, timeout=stretched(120), what="the Dag is there", processes=[agent.process])
        client.patch(f"{airflow}/dags/sums", json={"is_paused": False}).raise_for_status()
        run = {"dag_run_id": "first", "logical_date": None}
        client.post(f"{airflow}/dags/sums/dagRuns", json=run).raise_for_status()

        def state() -> str:
            return str(client.get(f"{airflow}/dags/sums/dagRuns/first").json()["state"])

        wait_until(
            lambda: state() in ("success", "failed"),
            timeout=stretched(120),
            what="the run has ended",
            processes=[agent.process],
        )
        assert state() == "success"
        listed = platform.json("--deployment", "sales", "agents", "list")
        assert [(one["name"], one["state"]) for one in listed["items"]] == [("local", "healthy")]


def test_scenario_4_each_way_serves_its_own_and_nothing_else(
    platform: PlatformProcess, sales: dict[str, Any]
) -> None:
    slug, agents = sales["slug"], f"http://127.0.0.1:{platform.ports['agents']}"
    refused = httpx.get(f"{agents}/")
    assert (refused.status_code, refused.text) == (404, "404 page not found")
    for path in ("/", "/api/v2/version", "/auth/token", "/execution/health", "/tradewind/v1/me"):
        assert httpx.get(f"{agents}/{slug}{path}").status_code == 404
    assert httpx.get(f"{agents}/{slug}/remote-execution/v1/readyz").status_code == 200
    assert platform.people(slug, "/api/v2/version").status_code == 200
    for path in ("/execution/health", "/remote-execution/v1/readyz", "//remote-execution/v1/readyz"):
        assert platform.people(slug, path).status_code == 404
    assert platform.people("dother22", "/api/v2/version").status_code == 404


def test_scenario_18_no_secret_is_in_an_argument_a_log_or_the_database_in_clear(
    platform: PlatformProcess, sales: dict[str, Any], agent_token: str
) -> None:
    config = (platform.home / "local" / "deployments" / sales["slug"] / "airflow.cfg").read_text()
    wanted = ("fernet_key = ", "jwt_secret = ", "\nsecret_key = ")
    secrets = [config.partition(one)[2].partition("\n")[0] for one in wanted]
    secrets += [agent_token, platform.token_file.read_text().strip()]
    assert all(len(one) > 30 for one in secrets)
    arguments = "\0".join(" ".join(one.cmdline()) for one in platform.processes())
    files = [*platform.home.glob("platform.db*"), *platform.home.rglob("*.log"), platform.log]
    text = arguments.encode() + b"".join(one.read_bytes() for one in files)
    assert len(files) >= 5 and not [one for one in secrets if one.encode() in text]


def test_the_doctor_finds_a_platform_with_a_real_deployment_well(
    platform: PlatformProcess, sales: dict[str, Any]
) -> None:
    def found() -> dict[str, dict[str, str]]:
        said = platform.command(
            "platform", "doctor", "--json", "--home", str(platform.home), "--url", platform.url
        )
        return {one["check"]: one for one in json.loads(said)["results"]}

    wait_until(
        lambda: found()["deployment:sales:access"]["verdict"] == "ok",
        timeout=stretched(60),
        what="its API server has told how old its replica of access is",
    )
    well = {check for check, one in found().items() if one["verdict"] == "ok"}
    assert {"database", "keys", "leader", "platform", "gateway:local", "deployment:sales:route"} <= well


def test_scenario_10_a_platform_that_is_killed_adopts_what_runs(
    platform: PlatformProcess, sales: dict[str, Any]
) -> None:
    before = {one.pid for one in platform.processes(sales["slug"])}
    gateway = {one.pid for one in platform.processes()} - before
    assert before and gateway
    platform.process.stop(grace=0)
    readyz = f"{sales['agent_url']}/remote-execution/v1/readyz"
    assert httpx.get(readyz).status_code == 200, "a Deployment does not need the platform to run"
    platform.start()
    api_server = next(
        one for one in platform.processes(sales["slug"]) if "api_server" in " ".join(one.cmdline())
    )
    api_server.kill()

    def serves_again() -> bool:
        try:
            return httpx.get(readyz, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    wait_until(
        serves_again, timeout=stretched(120), what="the API server is back", processes=[platform.process]
    )
    after = {one.pid for one in platform.processes(sales["slug"])}
    assert before - after == {api_server.pid} and len(after) == len(before)
    assert gateway <= {one.pid for one in platform.processes()}


def test_scenario_17_a_deleted_deployment_is_restored_with_its_data_and_purged_with_nothing_left(
    platform: PlatformProcess, sales: dict[str, Any]
) -> None:
    slug = sales["slug"]
    platform.command("deployments", "delete", "sales", "--yes", "--wait")
    assert platform.processes(slug) == []
    assert httpx.get(f"{sales['agent_url']}/remote-execution/v1/readyz").status_code == 404
    assert "is deleted" in platform.command("--deployment", "sales", "agents", "list", fails=True)

    platform.command("deployments", "restore", "sales", "--wait")
    tokens = platform.json("--deployment", "sales", "tokens", "list")["items"]
    assert [one["name"] for one in tokens] == ["first"]

    platform.command("deployments", "delete", "sales", "--yes", "--wait")
    platform.command("deployments", "purge", "sales", "--yes", "--wait")
    left = [one for one in platform.home.rglob("*") if slug in one.name]
    assert left == [] and platform.json("deployments", "list")["items"] == []
