"""What the owner of a platform's machine meets: a second platform on its database, and the doctor, with processes as they are
installed. Deployments have a stub in Airflow's place; `test_the_platform_for_real.py` examines a real one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import directories, stub_airflow
from support.platform_process import PlatformProcess
from tradewind.embedded.processes import wait_until
from tradewind.errors import BadUsage
from tradewind.gateway import program

VERSION = "3.3.2"
STUBS = True
"""No environment with Airflow is needed."""


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with directories.short() as made:
        yield made


@pytest.fixture(scope="module")
def platform(home: Path) -> Iterator[PlatformProcess]:
    """Its database is not in its home, as one of PostgreSQL is not."""
    try:
        program.find(None)
    except BadUsage as missing:
        pytest.skip(f"{missing.message}: `make network` installs it")
    made = started(home, "one")
    try:
        made.command("deployments", "create", "sales", "--wait")
        yield made
    finally:
        made.stop_everything()


def new(home: Path, name: str, *more: str) -> PlatformProcess:
    database = home / "database-url"
    database.write_text(f"sqlite:///{home}/shared.db")
    python = stub_airflow.install(home / VERSION, VERSION)
    return PlatformProcess(home / name, python, "--database-url-file", str(database), *more)


def started(home: Path, name: str, *more: str) -> PlatformProcess:
    made = new(home, name, *more)
    made.start(administrator=False)
    made.command(
        *("platform", "admin", "create", "ada", "--home", str(made.home)),
        *("--database-url-file", str(home / "database-url"), "--to-file", str(made.token_file)),
    )
    return made


def examined(platform: PlatformProcess, *, fails: bool = False) -> dict[str, dict[str, str]]:
    said = platform.command(
        *("platform", "doctor", "--json", "--home", str(platform.home), "--url", platform.url),
        *("--database-url-file", str(platform.home.parent / "database-url")),
        fails=fails,
    )
    return {one["check"]: one for one in json.loads(said)["results"]}


def test_a_second_platform_with_another_home_is_refused_with_what_to_do(
    platform: PlatformProcess, home: Path
) -> None:
    second = new(home, "two")
    second.home.mkdir()
    shutil.copy(platform.home / "keys", second.home / "keys")
    with pytest.raises(RuntimeError, match="exit code 1") as refused:
        second.start(administrator=False)
    said = str(refused.value)
    assert f"Deployments are in {platform.home}/local on " in said and f"{second.home}/local on " in said
    assert "both would start each Deployment" in said
    assert "--no-local-cluster" in said and "--replace-home" in said
    assert platform.json("deployments", "get", "sales")["health"] == "healthy"


def test_one_that_has_no_deployments_of_its_own_serves_the_same_api(
    platform: PlatformProcess, home: Path
) -> None:
    second = new(home, "three", "--no-local-cluster")
    second.home.mkdir()
    shutil.copy(platform.home / "keys", second.home / "keys")
    shutil.copy(platform.token_file, second.token_file)
    second.start(administrator=False)
    try:
        assert (
            second.json("deployments", "get", "sales")["slug"]
            == platform.json("deployments", "get", "sales")["slug"]
        )
        refused = second.command("deployments", "create", "ops", "--version", VERSION, fails=True)
        assert "is not offered" in refused
        assert not second.processes("sales")
    finally:
        second.process.stop()


def test_the_doctor_finds_a_platform_that_works_well_and_names_what_is_stopped(
    platform: PlatformProcess,
) -> None:
    wait_until(
        lambda: platform.json("deployments", "get", "sales")["health"] == "healthy",
        timeout=60,
        what="it is well",
    )
    found = examined(platform)
    well = {check for check, one in found.items() if one["verdict"] == "ok"}
    assert {
        *("disk", "database", "leader", "platform", "clock", "keys"),
        *("gateway:local", "deployment:sales", "deployment:sales:route"),
    } <= well
    assert found["deployment:sales:backup"]["verdict"] == "warning"
    assert found["deployment:sales:access"]["evidence"] == "its API server has reported nothing yet"

    platform.process.stop()
    found = examined(platform, fails=True)
    assert {check for check, one in found.items() if one["verdict"] == "failed"} == {"leader", "platform"}
    assert found["leader"]["remedy"] == "tradewind platform run"
    platform.start(administrator=False)
