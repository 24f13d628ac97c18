"""The platform is killed while a real Airflow migrates its database, and agents that are too old are refused by name (scenarios
11 and 15).

`packages/platform/tests/test_local_driver.py` kills it at every other point, with a stub in Airflow's place: only a migration is
something that a stub cannot show.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from support import directories
from support.environments import environment_behind
from support.installed import ROOT, agent_settings, checkout, environments
from support.patience import stretched
from support.platform_process import PlatformProcess
from tradewind.embedded.agent import Agent
from tradewind.embedded.processes import wait_until

OLD, NEW, NEXT_MINOR, NEXT_PROTOCOL = "3.3.0", "3.3.2", "3.4.0", "3.3.9"
pytestmark = pytest.mark.timeout(1500)

WRAPPER = """#!/bin/sh
# The newest Airflow there is, which says that it is {version}.
case "$*" in
  *"version('apache-airflow-core')"*) echo {version}; exit 0;;
esac
PYTHONPATH={path} exec {python} "$@"
"""
NEWER_PROTOCOL = """
from tradewind_protocol import versions
versions.PROTOCOL = versions.Version(versions.PROTOCOL.major, versions.PROTOCOL.minor + 2)
"""
"""Run by each interpreter of the plane that finds it: a plane of a release to come."""


@pytest.fixture(scope="module")
def platform(directory: Path) -> Iterator[PlatformProcess]:
    lock = ROOT / "tests" / "on_airflow" / "oldest" / "airflow-3.3.txt"
    old = checkout().environment("plane-oldest", ("protocol", "provider"), lock=lock)
    new = environments().plane
    more = [new]
    for version, text in ((NEXT_MINOR, ""), (NEXT_PROTOCOL, NEWER_PROTOCOL)):
        path = directory / f"beside-{version}"
        path.mkdir()
        (path / "sitecustomize.py").write_text(text)
        made = path / "python"
        made.write_text(WRAPPER.format(version=version, path=path, python=new))
        made.chmod(0o755)
        more.append(made)
    with directories.short() as home:
        given = [part for python in more for part in ("--plane-python", str(python))]
        one = PlatformProcess(home / "platform", old, *given)
        one.start()
        try:
            yield one
        finally:
            one.stop_everything()


def until(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, timeout=stretched(180), what=what)


def migrations(platform: PlatformProcess) -> list[psutil.Process]:
    found = []
    for one in platform.processes():
        try:
            if one.cmdline()[-2:] == ["db", "migrate"] and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
        except psutil.Error:
            continue
    return found


def killed_while(platform: PlatformProcess, condition: Callable[[], bool], what: str) -> None:
    """The platform is killed in a migration at which the condition is true, and started again."""
    until(lambda: bool(migrations(platform)) and condition(), what)
    os.kill(platform.process.pid, signal.SIGKILL)
    platform.process.stop()
    platform.start()


def deployment(platform: PlatformProcess) -> dict[str, Any]:
    found: dict[str, Any] = platform.json("deployments", "get", "sales")
    return found


def test_scenario_11_killed_while_airflow_makes_its_tables_it_makes_the_rest_of_them(
    platform: PlatformProcess,
) -> None:
    made = platform.json("deployments", "create", "sales", "--version", OLD)
    database = platform.home / "local" / "deployments" / made["slug"] / "airflow.db"
    killed_while(platform, lambda: database.exists() and database.stat().st_size > 0, "tables are being made")
    platform.command("operations", "wait", made["operation"])
    until(lambda: deployment(platform)["health"] == "healthy", "it is healthy")
    assert len(platform.processes(made["slug"])) >= 2 and not migrations(platform)


@pytest.fixture(scope="module")
def agent(platform: PlatformProcess, directory: Path) -> Iterator[Agent]:
    """Its only task environment has the minor before that of every plane here."""
    file = directory / "behind-token"
    platform.command("--deployment", "sales", "tokens", "create", "behind", "--to-file", str(file))
    settings = agent_settings(
        home=directory / "behind",
        name="behind",
        plane_url=deployment(platform)["agent_url"],
        token=file.read_text().strip(),
        components=("worker",),
        options={
            "environments": [{"name": "older", "interpreter": str(environment_behind()), "queues": ["older"]}]
        },
    )
    with Agent(settings) as made:

        def described() -> bool:
            items = platform.json("--deployment", "sales", "agents", "list")["items"]
            return any(environment["airflow"] for one in items for environment in one["environments"])

        until(described, "the agent has said what its environment is")
        yield made


def test_scenario_15_an_upgrade_that_leaves_an_agent_two_minors_behind_is_refused_by_its_name(
    platform: PlatformProcess, agent: Agent
) -> None:
    refused = platform.command("deployments", "upgrade", "sales", "--to", NEXT_MINOR, "--wait", fails=True)
    assert "agent behind, environment older: Airflow 3.2." in refused
    assert f"more than one minor behind the plane's {NEXT_MINOR}" in refused
    found = deployment(platform)
    assert (found["phase"], found["version"], agent.process.running) == ("running", OLD, True)


def test_scenario_11_killed_while_airflow_migrates_an_upgrade_ends_and_no_migration_is_left(
    platform: PlatformProcess, agent: Agent
) -> None:
    platform.command("deployments", "upgrade", "sales", "--to", NEW)
    killed_while(platform, lambda: True, "the upgrade migrates")
    [operation] = platform.json("operations", "list", "--deployment", "sales", "--limit", "1")["items"]
    platform.command("operations", "wait", operation["id"])
    found = deployment(platform)
    assert (found["phase"], found["version"]) == ("running", NEW)
    assert not migrations(platform)


def test_scenario_15_an_agent_whose_protocol_is_two_minors_behind_is_told_to_be_upgraded(
    platform: PlatformProcess, agent: Agent
) -> None:
    platform.command("deployments", "upgrade", "sales", "--to", NEXT_PROTOCOL, "--wait")
    sentence = "agent speaks protocol 1.0, plane speaks 1.2; they are too far apart: upgrade the agent"
    until(lambda: sentence in agent.process.log.read_text(), "the agent says so")
