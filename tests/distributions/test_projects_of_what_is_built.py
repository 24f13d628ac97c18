"""A project of `make dist`'s folder alone, as `projects.md` says, outside the checkout: written, run, broken, built."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support import built, directories, pythons
from support.machines import Machine
from support.patience import eventually

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]

PAGE = built.Page("how-to/projects.md")


@pytest.fixture(scope="module")
def machine(dist: Path) -> Iterator[Machine]:
    """With the project `shop` on it, as the page makes it."""
    with directories.short("tw-p-") as made:
        new = Machine.new(made / "m", dist, pythons.newest(), pip=False)
        install, init, *_ = PAGE.block("uv tool install").splitlines()
        new.run(f"{install}\n{init}")
        yield new


def left_behind(place: Path) -> list[str]:
    """Processes that use the folder, other than the tests' own."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        facts = [*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]
        if process.pid != os.getpid() and any(str(place) in fact for fact in facts):
            found.append(f"{process.pid} {process.name()}")
    return found


def test_the_example_runs_and_nothing_is_left(machine: Machine) -> None:
    said = machine.run("cd shop && tradewind project dev --once --port 0")
    assert "example: success" in said
    assert "month_end: success" in said
    assert "all 2 Dags succeeded: 6 tasks" in said
    assert left_behind(machine.place) == []


def test_a_dag_that_changes_is_read_again_and_ctrl_c_ends_it(machine: Machine) -> None:
    dags = machine.place / "shop" / "site" / "dags"
    dev = machine.process("dev", "tradewind project dev --port 0 --project shop")
    dev.start()
    try:
        eventually(lambda: "sign in as admin with" in dev.tail(200), timeout=240, what=dev.tail)
        (dags / "second.py").write_text((dags / "example.py").read_text().replace("example", "second"))
        eventually(lambda: "the Dag second has arrived" in dev.tail(200), timeout=90, what=dev.tail)
        (dags / "second.py").write_text("from airflow.sdk import dag\nimport nowhere_at_all\n")
        eventually(
            lambda: "second.py does not parse" in dev.tail(200) and "nowhere_at_all" in dev.tail(200),
            timeout=90,
            what=dev.tail,
        )
        (dags / "second.py").unlink()
        eventually(lambda: "second.py parses again" in dev.tail(200), timeout=90, what=dev.tail)
        dev.signal(signal.SIGINT)
        assert dev.wait(90) == 0, dev.tail()
    finally:
        dev.stop(grace=30)
    assert "no process is left" in dev.tail()
    assert left_behind(machine.place) == []


def test_an_environment_is_built_once_and_a_dag_that_the_policy_refuses_is_named(machine: Machine) -> None:
    build = "cd shop && tradewind project build --builder venv"
    assert "2 Dags parse in it" in machine.run(build)
    assert machine.run(build).count("nothing changed:") == 2
    wrong = machine.place / "shop" / "site" / "dags" / "wrong.py"
    wrong.write_text("from airflow.sdk import DAG, Variable\n\nVariable.set('last', 'x')\n")
    try:
        said = machine.run(f"{build} || true")
    finally:
        wrong.unlink()
    assert "site/dags/wrong.py:3: error: writes the variable 'last' at the top of the file" in said
