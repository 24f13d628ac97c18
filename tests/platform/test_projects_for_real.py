"""Scenario 27: a project's digest, and its timetable on the plane of a Deployment that a platform runs as a user of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from support import built, directories
from support.installed import PLANES_DRIVERS, ROOT, agent_settings
from support.patience import stretched
from support.platform_process import PlatformProcess
from tradewind.embedded.agent import Agent
from tradewind.embedded.environments import WHEELS, Checkout
from tradewind.embedded.processes import wait_until

SYSTEM = Path("/usr/bin/python3.11")
FIRST = 53000
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives each Deployment a user"),
    pytest.mark.skipif(not SYSTEM.exists(), reason=f"no {SYSTEM}, which other users can run"),
]

TIMETABLE = """
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.trigger import DeltaTriggerTimetable


class Often(DeltaTriggerTimetable):
    "Known to nobody but this project."


class OftenPlugin(AirflowPlugin):
    name = "often"
    timetables = [Often]
"""
DAG = """
from datetime import datetime, timedelta, timezone
from airflow.sdk import dag, task
from often import Often


@dag(schedule=Often(timedelta(seconds=10)), start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False,
     is_paused_upon_creation=False)
def by_the_project():
    @task
    def said():
        return "seen"

    said()


by_the_project()
"""


class World:
    """A platform with a Deployment `sales`, and the project `shop` twice on this machine."""

    def __init__(self, directory: Path, platform: PlatformProcess) -> None:
        self.directory, self.platform = directory, platform
        self.projects = [directory / "one" / "shop", directory / "two" / "of" / "it" / "shop"]
        self.sales: dict[str, Any] = {}

    def digest(self, place: int) -> str:
        """Of a build in a folder."""
        command = ("project", "build", "plane", "--builder", "venv", "--project", str(self.projects[place]))
        found: str = self.platform.json(*command)["built"][0]["digest"]
        return found

    def deploy(self, description: str, *, fails: bool = False) -> str:
        command = ("project", "deploy", "--deployment", "sales", "--description", description)
        return self.platform.command(*command, "--project", str(self.projects[0]), fails=fails)

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.platform.json(
            "project", "deploys", "list", "--deployment", "sales"
        )["items"]
        return found

    def runs(self) -> list[dict[str, Any]]:
        """The scheduled runs of the Dag that have succeeded."""
        path = f"/v1/deployments/{self.sales['id']}/airflow/api/v2/dags/by_the_project/dagRuns"
        with self.platform.client() as client:
            answer = client.get(path, params={"limit": 100, "order_by": "-run_after"})
        if answer.status_code != 200:
            return []
        runs: list[dict[str, Any]] = answer.json()["dag_runs"]
        return [one for one in runs if (one["run_type"], one["state"]) == ("scheduled", "success")]

    def wait_for_a_run(self, agent: Agent) -> None:
        """One that has not been there yet."""
        known = {one["dag_run_id"] for one in self.runs()}
        wait_until(
            lambda: bool({one["dag_run_id"] for one in self.runs()} - known),
            timeout=stretched(180),
            what="the plane schedules the Dag by the project's timetable, and it runs at the site",
            processes=[agent.process],
        )

    def unpause(self, agent: Agent) -> None:
        path = f"/v1/deployments/{self.sales['id']}/airflow/api/v2/dags/by_the_project"

        def done() -> bool:
            with self.platform.client() as client:
                return client.patch(path, json={"is_paused": False}).status_code == 200

        wait_until(done, timeout=stretched(180), what="the Dag has arrived", processes=[agent.process])

    def leaders(self) -> set[int]:
        """The processes that the platform has started itself."""
        return {one.pid for one in self.processes() if os.getsid(one.pid) == one.pid}

    def processes(self) -> list[psutil.Process]:
        return self.platform.processes(self.sales["slug"])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{ROOT / '.tools' / 'bin'}:{before}"  # uv, for the command and for the platform
    try:
        with directories.short() as directory:
            directory.chmod(0o711)
            python = Checkout(ROOT, kept=directory / "env", python=SYSTEM).environment(
                "plane", WHEELS["plane"], PLANES_DRIVERS
            )
            dist = built.build(directory / "dist", "--without-sboms")
            made = World(directory, PlatformProcess(directory / "platform", python, apart=True))
            made.platform.start()
            try:
                write(made.projects[0], dist)
                yield made
            finally:
                made.platform.stop_everything()
    finally:
        os.environ["PATH"] = before


def write(root: Path, dist: Path) -> None:
    """As `init` writes it, with one more timetable and a Dag that is scheduled by it."""
    root.parent.mkdir(parents=True)
    command = [
        sys.executable,
        "-m",
        "tradewind",
        "project",
        "init",
        str(root),
        "--python",
        "3.11",
        "--dist",
        str(dist),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (root / "plane" / "timetables" / "often.py").write_text(TIMETABLE)
    (root / "site" / "dags" / "by_the_project.py").write_text(DAG)


@pytest.mark.timeout(1800)
def test_scenario_27_the_same_project_has_the_same_digest_in_another_folder(world: World) -> None:
    first = world.digest(0)
    with directories.umask(0o077):
        shutil.copytree(
            world.projects[0],
            world.projects[1],
            ignore=shutil.ignore_patterns(".tradewind"),
            copy_function=shutil.copyfile,
        )
        settings = world.projects[1] / "tradewind.toml"
        settings.write_text(
            settings.read_text().replace('dist = "../../dist"', f'dist = "{world.directory / "dist"}"')
        )
        assert world.digest(1) == first


@pytest.mark.timeout(1800)
def test_scenario_27_a_timetable_of_the_project_schedules_on_the_plane_and_is_rolled_back(
    world: World,
) -> None:
    platform = world.platform
    sales = world.sales = platform.json("deployments", "create", "sales", "--wait")
    token, home = world.directory / "token", world.directory / "agent"
    platform.command("--deployment", "sales", "tokens", "create", "first", "--to-file", str(token))
    plugins = world.projects[0] / "plane" / "timetables"
    settings = agent_settings(
        home=home,
        plane_url=sales["agent_url"],
        token=token.read_text().strip(),
        dags=world.projects[0] / "site" / "dags",
        site={"AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins)},
    )
    with Agent(settings) as agent:
        world.deploy("a timetable")
        [first] = world.history()
        assert (first["status"], first["is_current"]) == ("DEPLOYED", True)
        world.unpause(agent)
        world.wait_for_a_run(agent)
        the_code_is_its_users_to_read_and_not_to_change(world, first["digest"])

        wrong = world.projects[0] / "plane" / "plugins" / "wrong.py"
        wrong.write_text("import nowhere_at_all\n")
        pids = world.leaders()
        said = world.deploy("a plugin that does not import", fails=True)
        assert "check code: plugins do not import" in said and "wrong.py" in said
        assert world.leaders() == pids, "nothing was stopped for it"
        wrong.unlink()

        (world.projects[0] / "plane" / "plugins" / "second.py").write_text("SECOND = 2\n")
        world.deploy("a second plugin")
        assert [one["status"] for one in world.history()] == ["DEPLOYED", "FAILED", "DEPLOYED"]
        world.wait_for_a_run(agent)

        platform.command("project", "deploys", "rollback", "--deployment", "sales", "--wait")
        newest, second, *_ = world.history()
        assert (newest["digest"], newest["rolled_back_from"]) == (first["digest"], second["id"])
        world.wait_for_a_run(agent)
    wait_until(
        lambda: platform.json("deployments", "get", "sales")["health"] == "healthy",
        timeout=stretched(60),
        what="the Deployment is healthy",
    )


def the_code_is_its_users_to_read_and_not_to_change(world: World, digest: str) -> None:
    """The Deployment's user has the code, another Deployment's does not, and neither writes it."""
    place = world.platform.home / "local" / "code" / world.sales["slug"] / digest.removeprefix("sha256:")[:32]
    plugin, python = place / "source" / "plugins" / "often.py", place / "environment" / "bin" / "python"
    [user] = {one.uids().real for one in world.processes()}
    assert user > FIRST
    assert {one.environ().get("AIRFLOW__CORE__PLUGINS_FOLDER") for one in world.processes()} == {
        str(plugin.parent)
    }

    def may(who: int, *test: str) -> bool:
        return subprocess.run(["test", *test], user=who, group=who, extra_groups=[]).returncode == 0

    assert may(user, "-r", str(plugin)) and may(user, "-x", str(python))
    for file in (plugin, python, place, place.parent, place / "environment" / "lib"):
        assert not may(user, "-w", str(file)), file
    assert not may(user + 1, "-r", str(plugin)), "of another Deployment"
    archives = world.platform.home / "local" / "archives"
    assert not may(user, "-r", str(archives)) and not may(FIRST, "-r", str(archives))
