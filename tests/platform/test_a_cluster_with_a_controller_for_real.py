"""A controller as a process of its own, with the driver of one machine: the protocol that a cluster elsewhere has."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support import installed
from support.patience import stretched
from support.platform_process import PlatformProcess
from tradewind.embedded.plane import free_port
from tradewind.embedded.processes import LocalProcess, wait_until


@pytest.fixture(scope="module")
def controller(platform: PlatformProcess, directory: Path) -> Iterator[LocalProcess]:
    """A cluster `far`, whose controller works."""
    agents, people, health = free_port(), free_port(), free_port()
    token, home = directory / "cluster-token", directory / "far"
    platform.command(
        *("clusters", "add", "far", "--driver", "local", "--plain-http", "--to-file", str(token)),
        *("--agents-host", f"127.0.0.1:{agents}", "--people-domain", f"localhost:{people}"),
    )
    command = [sys.executable, "-m", "tradewind", "platform", "controller", "run"]
    command += ["--platform", platform.url, "--cluster-token-file", str(token), "--home", str(home)]
    command += ["--plane-python", str(installed.environments().plane)]
    command += ["--first-user", "0"] if os.geteuid() == 0 else []
    command += ["--agents-listen", f"127.0.0.1:{agents}", "--people-listen", f"127.0.0.1:{people}"]
    command += ["--health-listen", f"127.0.0.1:{health}"]
    made = LocalProcess("controller", command, env=dict(os.environ), log=directory / "controller.log")
    made.start()
    wait_until(
        lambda: platform.json("clusters", "get", "far")["controller"]["state"] == "connected",
        timeout=stretched(60),
        what="the controller is connected",
        processes=[made],
    )
    yield made
    made.stop()


def health(controller: LocalProcess, path: str) -> httpx.Response:
    return httpx.get(f"http://{controller.command[-1]}{path}")


def test_a_deployment_of_a_cluster_with_a_controller_is_created_survives_both_and_is_purged(
    platform: PlatformProcess, controller: LocalProcess, directory: Path
) -> None:
    made = platform.json("deployments", "create", "far-sales", "--cluster", "far", "--wait")
    assert (made["phase"], made["health"], made["cluster_name"]) == ("running", "healthy", "far")
    readyz = f"{made['agent_url']}/remote-execution/v1/readyz"
    assert httpx.get(readyz).status_code == 200
    assert not [one for one in (platform.home / "local").rglob("*") if made["slug"] in one.name]
    config = (directory / "far" / "deployments" / made["slug"] / "airflow.cfg").read_text()
    assert f"platform_url = {platform.url}\n" in config, "people sign in at the platform, not at this machine"

    assert (health(controller, "/healthz").status_code, health(controller, "/readyz").status_code) == (
        200,
        200,
    )
    told = health(controller, "/metrics").text
    assert 'tradewind_controller_steps_ended_total{outcome="succeeded"}' in told
    assert "\ntradewind_controller_deployments 1\n" in told

    controller.stop(grace=0)
    platform.process.stop(grace=0)
    assert httpx.get(readyz).status_code == 200, "a Deployment needs neither of them to run"
    platform.start()
    controller.start()
    platform.command("deployments", "delete", "far-sales", "--yes", "--wait")
    assert httpx.get(readyz).status_code == 404
    platform.command("deployments", "purge", "far-sales", "--yes", "--wait")
    assert not [one for one in (directory / "far").rglob("*") if made["slug"] in one.name]

    token = (directory / "cluster-token").read_text().strip()
    files = [*platform.home.glob("platform.db*"), platform.log, controller.log]
    assert not [one for one in files if token.encode() in one.read_bytes()]
