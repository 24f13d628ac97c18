"""docs/how-to/private-link.md by hand, in the lab that `make lab` starts: each command as the page has it, by the one who gives it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from private_network.test_the_table_of_the_lab import PAGE, missing
from support import directories, installed
from support.patience import eventually, stretched
from tradewind.embedded.processes import LocalProcess, wait_until

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
SHELLS = {"Site": "site-a", "Owner": "owner"}
RUNS_ON = "tradewind-agent run"


@dataclass(frozen=True)
class Command:
    """One line of the page with `$`, the shell that it is for, and what the page shows of its output."""

    shell: str
    text: str
    shown: list[str] = field(default_factory=list)


def commands(section: str) -> Iterator[Command]:
    """Of a numbered list. A step names its shell by how it begins, or with a command that opens one."""
    for step in re.split(r"^\d+\. ", section, flags=re.MULTILINE)[1:]:
        shell = SHELLS.get(step.removeprefix("**").partition(":")[0], "")
        for block in re.findall(r"```\n(.*?)```", step, re.DOTALL):
            for text, shown in re.findall(r"^ *\$ (.*)\n((?: *(?!\$)\S.*\n)*)", block, re.MULTILINE):
                if opened := re.fullmatch(r'make lab ARGS="--shell (\S+)"', text):
                    shell = opened[1]
                    continue
                yield Command(shell, text, [line.strip() for line in shown.splitlines()])


def as_shown(lines: list[str]) -> str:
    """A pattern: `…` stands for anything, and as many blanks as one likes for each other."""
    parts = [r"\s+".join(re.escape(word) for word in line.split()) for line in lines]
    return r"\s*".join(parts).replace("…", r"[\s\S]*?") + r"\s*"


class Shells:
    """What `make lab ARGS="--shell …"` opens, in the lab at `place`."""

    def __init__(self, place: Path) -> None:
        self.command = [sys.executable, "-m", "support.lab", "--place", str(place)]
        self.env = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}

    def run(self, shell: str, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, "--shell", shell],
            input=f"{text}\n",
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=stretched(120),
        )

    def state_of(self, agent: str) -> str:
        said = self.run("owner", "tradewind agents list --all -o json")
        found = {one["name"]: str(one["state"]) for one in json.loads(said.stdout)["items"]}
        return found.get(agent, "")


@pytest.fixture
def lab() -> Iterator[tuple[Shells, Path]]:
    """As `make lab` starts it, and ended by Ctrl-C."""
    if reason := missing():
        pytest.skip(reason)
    installed.environments()
    with directories.short() as directory:
        place, log = directory / f"lab{directory.name[-6:]}", directory / "lab.log"
        shells = Shells(place)
        process = LocalProcess("lab", shells.command, env=shells.env, log=log)
        process.start()
        try:
            wait_until(
                lambda: "The lab runs" in log.read_text(),
                timeout=stretched(240),
                what="the lab runs",
                processes=[process],
            )
            yield shells, log
        finally:
            process.signal(signal.SIGINT)
            process.stop(grace=60)
        assert process.exit_code == 0, process.tail()
        assert not place.exists()
        prefix = f"tw{place.name[-6:]}"
        left = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        left += subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout
        assert prefix not in left, "Ctrl-C leaves nothing behind"


def test_who_follows_the_page_gets_from_nothing_to_a_shut_public_way(lab: tuple[Shells, Path]) -> None:
    shells, _ = lab
    running: list[subprocess.Popen[str]] = []
    try:
        for one in commands(_section("Connect a site")):
            if one.text == RUNS_ON:
                running.append(_kept_running(shells, one))
                eventually(
                    lambda: shells.state_of("site-a") == "healthy",
                    timeout=90,
                    what="the agent of site-a is healthy",
                )
                continue
            said = shells.run(one.shell, one.text)
            pattern = re.compile(as_shown(one.shown))
            text = said.stdout + said.stderr
            # curl shows its progress on what is no terminal
            assert pattern.fullmatch(text) or pattern.fullmatch(said.stdout), (one, text)
            refused = any(line.startswith("FAIL") for line in one.shown)
            assert (said.returncode != 0) == refused, (one, text)
        assert shells.state_of("site-a") == "healthy", "its agent goes on"
        undone = re.findall(r"`(tradewind private-endpoints [^`]+)`", _section("Undo"))
        assert len(undone) == 2
        for text in undone:
            said = shells.run("owner", text.replace("<endpoint>", "aws:vpce-08d2bf15fac5001c9"))
            assert said.returncode == 0, said
    finally:
        for each in running:
            each.terminate()
            each.wait(60)


def test_a_word_that_is_no_command_of_the_lab_is_answered_with_what_there_is() -> None:
    """Each command of the page's table is one of the lab's."""
    from support.lab.__main__ import HELP, do

    assert do(None, ["help"]) == HELP  # type: ignore[arg-type]
    named = {text.split()[0] for text in re.findall(r"`lab (\w+)", PAGE.read_text())}
    assert named <= {"endpoint", "zone", "help", *re.findall(r"^  (\w+) ", HELP, re.MULTILINE)}


def _section(title: str) -> str:
    return PAGE.read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]


def _kept_running(shells: Shells, one: Command) -> subprocess.Popen[str]:
    """`exec`, so that the shell's process is the agent's."""
    made = subprocess.Popen(
        [*shells.command, "--shell", one.shell],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=shells.env,
        text=True,
    )
    assert made.stdin is not None
    made.stdin.write(f"exec {one.text}\n")
    made.stdin.close()
    return made
