"""Many Dag files: how long they take to get known, and what it costs that they are there and do not change."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from pathlib import Path

from benchmarks import processes
from benchmarks.sides import Side
from tradewind_protocol import dags

FILE = """from airflow.sdk import DAG, task

with open({journal!r}, "ab") as journal:
    journal.write(b".")

with DAG("{prefix}{number}", schedule="@daily", tags=["parse"], catchup=False):

    @task
    def extract():
        return {number}

    @task
    def transform(value):
        return value + 1

    @task
    def load(value):
        print(value)

    load(transform(extract()))
"""
_PATIENCE = 900.0
_UNCHANGED = 60.0
"""Twice Airflow's default `[dag_processor] min_file_process_interval`: each file is parsed twice meanwhile."""


def parse(side: Side, files: int) -> dict[str, float]:
    """Write that many files, wait until Airflow has them all, then a minute in which nothing changes. Each file counts
    its parses itself. The files are gone afterwards; their Dags, which Airflow keeps, have other names each time."""
    prefix = f"parse_{secrets.token_hex(4)}_"
    folder, journal = side.dags / prefix, side.home / f"{prefix}journal"
    journal.touch()
    metrics: dict[str, float] = {"files": files}
    try:
        cpu, load = processes.cpu(side.roles), processes.load()
        sent, began = dag_bytes(side), time.monotonic()
        _write(folder, files, prefix, journal)
        _wait(side, files, prefix, began)
        metrics["first: seconds"] = seconds = time.monotonic() - began
        metrics |= _spent(side, cpu, "first: cpu ms/file", files)
        used = metrics["first: cpu ms/file: all"] * files / 1000
        metrics["others' load, cores"] = max(0.0, (processes.load() - load - used) / seconds)
        metrics["first: parses/file"] = _parses(journal) / files
        if side.agent is not None:
            metrics["first: bytes of Dag data/file"] = (dag_bytes(side) - sent) / files
        time.sleep(10)  # what was under way
        cpu, sent, parses, asked, began = (
            processes.cpu(side.roles),
            dag_bytes(side),
            _parses(journal),
            side.database.asked().statements,
            time.monotonic(),
        )
        time.sleep(_UNCHANGED)
        seconds = time.monotonic() - began
        metrics |= _spent(side, cpu, "unchanged: cpu ms/s", seconds)
        parses = _parses(journal) - parses
        metrics["unchanged: parses/file"] = parses / files
        # a Dag processor that is late parses less often, and is no cheaper for it
        busy = metrics["unchanged: cpu ms/s: dag processor"] * seconds
        metrics["unchanged: cpu ms/parse: dag processor"] = busy / max(1, parses)
        metrics["unchanged: statements/s"] = (side.database.asked().statements - asked) / seconds
        if side.agent is not None:
            metrics["unchanged: bytes of Dag data"] = dag_bytes(side) - sent
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return metrics


def _spent(side: Side, before: dict[str, float], what: str, per: float) -> dict[str, float]:
    used = {role: after - before[role] for role, after in processes.cpu(side.roles).items()}
    return {
        f"{what}: {role}": 1000 * spent / per for role, spent in (used | {"all": sum(used.values())}).items()
    }


def _parses(journal: Path) -> int:
    return journal.stat().st_size


def dag_bytes(side: Side) -> int:
    """What left the site in reports of Dags so far, from Tradewind's own ledger; 0 for the others."""
    if side.agent is None:
        return 0
    total = 0
    for path in Path(side.agent.state_dir).rglob("ledger*.jsonl"):
        for line in path.read_text().splitlines():
            told = json.loads(line)
            if told["left"] and told["path"].endswith(dags.REPORT):
                total += int(told["bytes"])
    return total


def _write(folder: Path, files: int, prefix: str, journal: Path) -> None:
    folder.mkdir()
    for number in range(files):
        (folder / f"{prefix}{number}.py").write_text(
            FILE.format(number=number, prefix=prefix, journal=str(journal))
        )


def _wait(side: Side, files: int, prefix: str, began: float) -> None:
    while True:
        known = int(
            side.database.rows(
                "SELECT count(DISTINCT dag_id) FROM serialized_dag WHERE starts_with(dag_id, %s)", (prefix,)
            )[0][0]
        )
        if known >= files:
            return
        if time.monotonic() > began + _PATIENCE:
            raise RuntimeError(f"{side.name}: {known} of {files} Dag files are known after {_PATIENCE:.0f} s")
        time.sleep(0.2)
