"""`tradewind platform down`: nothing of this machine's Deployments runs afterwards, and only when the platform does not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from support import directories
from tradewind.cli import main
from tradewind.embedded.processes import LocalProcess, wait_until
from tradewind_platform.home import PlatformSettings, alone
from tradewind_platform.local.processes import Processes

PROGRAM = "import time; print('up', flush=True); time.sleep(600)"


@pytest.fixture
def home() -> Iterator[Path]:
    with directories.short() as made:
        (made / "local").mkdir()
        yield made
        Processes(str(made / "local")).stop_all(grace=0)


def start(home: Path, owner: str) -> LocalProcess:
    process = LocalProcess(
        "server",
        [sys.executable, "-c", PROGRAM],
        env=dict(os.environ),
        log=home / f"{owner}.log",
        cwd=Path("/"),
    )
    Processes(str(home / "local")).start(owner, process)
    wait_until(lambda: "up" in process.tail(), timeout=30, what="the program is up")
    return process


def runs(home: Path, owner: str) -> bool:
    return Processes(str(home / "local")).find(owner, "server", user=None) is not None


def down(home: Path) -> str:
    done = CliRunner().invoke(main, ["platform", "down", "--home", str(home), "--yes"])
    return f"{done.exit_code}: {done.output}"


def test_every_deployment_of_the_home_is_stopped_and_none_of_another(home: Path) -> None:
    with directories.short() as other:
        (other / "local").mkdir()
        for place, owner in ((home, "d1"), (home, "d2"), (home, "gateway"), (other, "d1")):
            start(place, owner)
        assert down(home) == "0: 3 processes were stopped.\n"
        assert not any(runs(home, owner) for owner in ("d1", "d2", "gateway"))
        assert runs(other, "d1"), "another platform's Deployment goes on"
        Processes(str(other / "local")).stop_all(grace=0)
    assert down(home) == "0: 0 processes were stopped.\n"


def test_a_platform_that_runs_is_to_be_stopped_first(home: Path) -> None:
    start(home, "d1")
    with alone(PlatformSettings(home)):
        said = down(home)
    assert said.startswith("1: ") and "runs already" in said and "Stop it first" in said
    assert runs(home, "d1")
