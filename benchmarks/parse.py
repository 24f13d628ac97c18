"""Many Dag files: how long they take to get known, and what it costs that they are there and do not change."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from benchmarks import processes
from benchmarks.sides import Side
from tradewind_protocol import dags

FILE = """from airflow.sdk import DAG, task

with DAG("parse_{number}", schedule="@daily", tags=["parse"], catchup=False):

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


def parse(side: Side, files: int, *, unchanged: float) -> dict[str, float]:
    """Write that many files, wait until Airflow has them all, then `unchanged` seconds in which nothing changes, each
    file parsed again at least once in them. The files are gone afterwards."""
    folder = side.dags / "parse"
    metrics: dict[str, float] = {"files": files}
    try:
        cpu, sent, began = processes.cpu(side.roles), dag_bytes(side), time.monotonic()
        _write(folder, files)
        _wait(side, files, began)
        metrics["first: seconds"] = time.monotonic() - began
        for role, after in processes.cpu(side.roles).items():
            metrics[f"first: cpu ms/file: {role}"] = 1000 * (after - cpu[role]) / files
        if side.agent is not None:
            metrics["first: bytes of Dag data/file"] = (dag_bytes(side) - sent) / files
        time.sleep(10)  # what was under way
        cpu, sent, asked, began = (
            processes.cpu(side.roles),
            dag_bytes(side),
            side.database.asked().statements,
            time.monotonic(),
        )
        time.sleep(unchanged)
        seconds = time.monotonic() - began
        for role, after in processes.cpu(side.roles).items():
            metrics[f"unchanged: cpu ms/s: {role}"] = 1000 * (after - cpu[role]) / seconds
        metrics["unchanged: statements/s"] = (side.database.asked().statements - asked) / seconds
        if side.agent is not None:
            metrics["unchanged: bytes of Dag data"] = dag_bytes(side) - sent
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return metrics


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


def _write(folder: Path, files: int) -> None:
    folder.mkdir()
    for number in range(files):
        (folder / f"parse_{number}.py").write_text(FILE.format(number=number))


def _wait(side: Side, files: int, began: float) -> None:
    while True:
        known = int(
            side.database.rows("SELECT count(*) FROM serialized_dag WHERE starts_with(dag_id, 'parse_')")[0][
                0
            ]
        )
        if known >= files:
            return
        if time.monotonic() > began + _PATIENCE:
            raise RuntimeError(f"{side.name}: {known} of {files} Dag files are known after {_PATIENCE:.0f} s")
        time.sleep(0.5)
