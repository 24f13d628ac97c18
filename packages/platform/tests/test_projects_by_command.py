"""A project, the command and a platform as processes (scenario 27), with a stub for Airflow and for the installer of packages.

tests/platform/test_projects_for_real.py has the same with the real ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import directories, project_parts, stub_airflow
from support.patience import stretched
from support.platform_process import PlatformProcess
from tradewind.embedded.processes import wait_until
from tradewind.errors import BadUsage
from tradewind.gateway import program
from tradewind.project.settings import Project

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]


class World:
    """A Deployment of the platform, and a project for it."""

    def __init__(self, platform: PlatformProcess, project: Project, name: str) -> None:
        self.platform, self.project, self.name = platform, project, name
        self.slug = str(platform.json("deployments", "create", name, "--wait")["slug"])

    def deploy(self, *more: str, fails: bool = False) -> str:
        command = ("project", "deploy", "--deployment", self.name, "--project", str(self.project.root))
        return self.platform.command(*command, *more, fails=fails)

    def history(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.platform.json(
            "project", "deploys", "list", "--deployment", self.name
        )["items"]
        return found

    def write(self, text: str) -> None:
        """The plugin that the stub reads."""
        (self.project.plane.folder / "plugins" / "plugin.py").write_text(text)

    def pids(self) -> set[int]:
        """Of the processes that run."""
        return {one.pid for one in self.platform.processes(self.slug)}

    def plugin(self) -> str:
        """Of the processes that run."""
        folders = {
            one.environ().get("AIRFLOW__CORE__PLUGINS_FOLDER", "")
            for one in self.platform.processes(self.slug)
        }
        [folder] = folders
        return (Path(folder) / "plugin.py").read_text() if folder else ""


@pytest.fixture(scope="module")
def platform() -> Iterator[PlatformProcess]:
    try:
        program.find(None)
    except BadUsage as missing:
        pytest.skip(f"{missing.message}: `make network` installs it")
    with directories.short() as folder, pytest.MonkeyPatch.context() as patched:
        for name, value in project_parts.without_index().items():
            patched.setenv(name, value)
        python = stub_airflow.install(folder / "stub", "3.3.2")
        with pytest.MonkeyPatch.context() as of_the_platform:
            stub_airflow.uv(folder / "uv")
            of_the_platform.setenv("PATH", f"{folder / 'uv'}:{os.environ['PATH']}")
            made = PlatformProcess(folder / "platform", python)
            made.start()
        try:
            yield made
        finally:
            made.stop_everything()


@pytest.fixture(scope="module")
def dist(platform: PlatformProcess) -> Path:
    return project_parts.dist(platform.home.parent / "dist")


@pytest.fixture(params=["sales"])
def world(request: pytest.FixtureRequest, platform: PlatformProcess, dist: Path) -> World:
    name: str = request.param
    return World(platform, project_parts.made(platform.home.parent / name, dist), name)


def test_scenario_27_a_project_is_deployed_fails_and_is_rolled_back_by_commands(world: World) -> None:
    world.write("ONE = 1\n")
    said = world.deploy("--description", "the first")
    [first] = world.history()
    assert first["digest"] in said and (first["status"], first["is_current"]) == ("DEPLOYED", True)
    assert (first["airflow"], first["description"], first["created_by"]) == (
        "3.3.2",
        "the first",
        "token:ada",
    )
    assert world.plugin() == "ONE = 1\n"
    assert "nothing changed" in world.deploy()

    world.write("raise ValueError\n")
    said = world.deploy(fails=True)
    assert "check code: plugins do not import: plugin.py" in said
    assert world.plugin() == "ONE = 1\n"

    world.write("TWO = 2\n")
    world.deploy()
    assert world.plugin() == "TWO = 2\n"
    assert [one["status"] for one in world.history()] == ["DEPLOYED", "FAILED", "DEPLOYED"]

    world.platform.command("project", "deploys", "rollback", "--deployment", world.name, "--wait")
    newest, second, *_ = world.history()
    assert (newest["digest"], newest["rolled_back_from"]) == (first["digest"], second["id"])
    assert world.plugin() == "ONE = 1\n"
    found = world.platform.json("deployments", "get", world.name)
    assert found["phase"] == "running"


@pytest.mark.parametrize("world", ["stocks"], indirect=True)
def test_an_author_is_told_that_the_role_does_not_allow_it_however_large_the_code_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = world.platform.home.parent / "author.token"
    ask = ("api-tokens", "create", "author", "--role", "deployment_author", "--deployment", world.name)
    world.platform.command(*ask, "--to-file", str(token))
    (world.project.plane.folder / "plugins" / "large.bin").write_bytes(os.urandom(8 * 1024 * 1024))
    monkeypatch.setattr(world.platform, "token_file", token)
    said = world.deploy(fails=True)
    assert "may not deployment.deploys.create" in said, said
    assert world.history() == [] and world.plugin() == ""


@pytest.mark.parametrize("world", ["orders"], indirect=True)
def test_code_is_there_for_a_platform_that_is_started_again(world: World) -> None:
    world.write("ONE = 1\n")
    world.deploy()
    before = world.pids()
    world.platform.process.stop()
    world.platform.start()
    assert world.pids() == before
    for one in world.platform.processes(world.slug):
        one.kill()
    wait_until(lambda: len(world.pids() - before) == 2, timeout=stretched(60), what="they are started again")
    assert world.plugin() == "ONE = 1\n"
