"""The demo as a person runs it: real Airflow, a real agent, real signals. Leaves nothing behind, whatever happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

CHECKOUT = Path(__file__).parents[3]

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(300)]


class Demo:
    """`tradewind demo …` as a process; `family` is every process it has been seen to start."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "tradewind", "demo", "--port", "0", "--directory", str(directory)]
        command += ["--checkout", str(CHECKOUT)]
        self.directory = directory
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
        )
        self.lines: list[str] = []
        self.family: list[psutil.Process] = []

    def until(self, pattern: str) -> None:
        """Read its output until a line matches."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if re.search(pattern, line):
                self.family = psutil.Process(self.process.pid).children(recursive=True)
                return
        pytest.fail(f"no line matched {pattern!r}:\n{''.join(self.lines)}")

    def end(self) -> int:
        assert self.process.stdout is not None
        self.lines += self.process.stdout.readlines()
        return self.process.wait()

    def left_behind(self) -> list[str]:
        """Processes that use the demo's directory although it has ended."""
        found = {process.pid: process for process in self.family if process.is_running()}
        for process in psutil.process_iter(["cmdline", "environ"]):
            facts = [*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]
            if any(str(self.directory) in fact for fact in facts) and process.pid != os.getpid():
                found[process.pid] = process
        return [f"{process.pid} {process.name()}" for process in found.values()]


Start = Callable[..., Demo]


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    started: list[Demo] = []

    def demo(*arguments: str) -> Demo:
        started.append(Demo(tmp_path_factory.mktemp("d") / "demo", *arguments))
        return started[-1]

    yield demo
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            one.end()


def test_every_run_of_the_demo_succeeds_and_nothing_is_left(start: Start) -> None:
    demo = start("--once")
    code = demo.end()
    said = "".join(demo.lines)
    assert code == 0, said
    assert "all 3 Dags succeeded" in said
    assert demo.left_behind() == []


@pytest.mark.parametrize(
    ("number", "moment"), [(signal.SIGINT, "starting the plane"), (signal.SIGTERM, "started 3 Dags")]
)
def test_a_demo_that_is_stopped_leaves_nothing(start: Start, number: signal.Signals, moment: str) -> None:
    demo = start()
    demo.until(moment)
    demo.process.send_signal(number)
    assert demo.end() == 0, "".join(demo.lines)
    assert demo.left_behind() == []


def test_a_demo_that_is_killed_leaves_nothing(start: Start) -> None:
    demo = start()
    demo.until("waiting for the agent to open its session")
    demo.process.kill()
    demo.end()
    _, alive = psutil.wait_procs(demo.family, timeout=60)
    assert alive == []
