"""The workloads. Each runs once on a side that is up and warm, and returns metrics as numbers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import counting, crowd, machines, parse, processes
from benchmarks.sides import Side

Metrics = dict[str, float]


@dataclass
class Sizes:
    """How much of each workload, after `--scale`."""

    wide: int = 1000
    chain: int = 20
    burst_runs: int = 20
    burst_tasks: int = 10
    imports: int = 50
    sleepers: int = 100
    waiters: int = 2000
    idle_seconds: float = 40.0
    files: int = 500

    @classmethod
    def scaled(cls, scale: float) -> Sizes:
        full = cls()
        return cls(
            wide=max(20, int(full.wide * scale)),
            imports=max(10, int(full.imports * min(1.0, scale * 2))),
            sleepers=max(8, int(full.sleepers * scale)),
            waiters=max(20, int(full.waiters * scale)),
            idle_seconds=max(15.0, full.idle_seconds * min(1.0, scale * 2)),
            files=max(20, int(full.files * scale)),
        )

    def environment(self) -> dict[str, str]:
        """What the Dags read their sizes from."""
        return {
            "BENCH_WIDE": str(self.wide),
            "BENCH_CHAIN": str(self.chain),
            "BENCH_BURST": str(self.burst_tasks),
            "BENCH_IMPORTS": str(self.imports),
            "BENCH_SLEEPERS": str(self.sleepers),
            "BENCH_WAITERS": str(self.waiters),
        }


@dataclass
class Measured:
    """What happened between two moments."""

    seconds: float = 0.0
    metrics: Metrics = field(default_factory=dict)


@contextmanager
def measuring(side: Side, *, per: int = 1) -> Iterator[Measured]:
    """CPU by role, database statements and the load others made, divided by `per`."""
    measured = Measured()
    cpu, asked, load, began = (
        processes.cpu(side.roles),
        side.database.asked(),
        processes.load(),
        time.monotonic(),
    )
    left, served = _left_site(side), _served(side)
    with counting.instructions() as counted:
        yield measured
    measured.seconds = time.monotonic() - began
    after = processes.cpu(side.roles)
    used = {role: after[role] - cpu[role] for role in after}
    for role, spent in used.items():
        measured.metrics[f"cpu ms/task: {role}"] = 1000 * spent / per
    measured.metrics["cpu ms/task: all"] = 1000 * sum(used.values()) / per
    done = side.database.asked()
    for part, millions in counted.items():
        measured.metrics[f"million instructions/task: {part}"] = millions / per
    measured.metrics["statements/task"] = (done.statements - asked.statements) / per
    measured.metrics["transactions/task"] = (done.transactions - asked.transactions) / per
    measured.metrics["connections/task"] = (done.connections - asked.connections) / per
    measured.metrics["others' load, cores"] = max(
        0.0, (processes.load() - load - sum(used.values())) / measured.seconds
    )
    for name, count in _served(side).items():
        measured.metrics[f"{name}/task"] = (count - served[name]) / per
    if left is not None:
        requests, size = _left_site(side) or (0, 0)
        measured.metrics["requests/task"] = (requests - left[0]) / per
        measured.metrics["bytes sent/task"] = (size - left[1]) / per


def _served(side: Side) -> dict[str, int]:
    """Task logs stored and metric packets received so far, on a realistic site."""
    if side.site is None:
        return {}
    counts = side.site.services.counts()
    return {"task logs stored": counts["objects"], "metric packets": counts["packets"]}


def _left_site(side: Side) -> tuple[int, int] | None:
    """Requests and bytes that left the site so far, from Tradewind's own ledger."""
    if side.agent is None:
        return None
    from datetime import datetime, timezone

    from tradewind_agent.gateway.ledger import Ledger

    ledgers = list(side.agent.state_dir.rglob("ledger.jsonl"))
    count = size = 0
    for path in ledgers:
        ledger = Ledger(path.parent, now=lambda: datetime.now(timezone.utc).timestamp())
        for line in ledger.read():
            if line.get("left"):
                count += 1
                size += int(line["bytes"])
    return count, size


# ---- running Dags


def runs(
    side: Side,
    dag_id: str,
    *,
    count: int = 1,
    timeout: float,
    look: Callable[[], None] = lambda: None,
    every: float = 0.2,
) -> tuple[float, list[str]]:
    """Trigger `count` runs at once, wait for their ends; seconds from the first start to the last end, and their ids.
    `look` is called every `every` seconds meanwhile.

    Raises RuntimeError when one has not succeeded.
    """
    side.rest.unpause(dag_id)
    ids = [side.rest.trigger(dag_id) for _ in range(count)]
    deadline = time.monotonic() + timeout
    while True:
        states = side.database.rows(
            "SELECT state, start_date, end_date FROM dag_run WHERE dag_id = %s AND run_id = ANY(%s)",
            (dag_id, ids),
        )
        if all(state in ("success", "failed") for state, *_ in states):
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"{side.name}: {dag_id} has not ended after {timeout:.0f} s")
        look()
        time.sleep(every)
    if any(state != "success" for state, *_ in states):
        raise RuntimeError(f"{side.name}: a run of {dag_id} failed; see {side.home}")
    took = max(row[2] for row in states) - min(row[1] for row in states)
    return took.total_seconds(), ids


def first_lines(side: Side, dag_id: str, ids: Sequence[str]) -> list[float]:
    """Milliseconds from the moment the scheduler queued each task to its first line of user code, sorted."""
    queued = side.database.queued_at(dag_id)
    found = []
    for line in Path(os.environ["BENCH_JOURNAL"]).read_text().splitlines():
        moment, its_dag, run, task, index, _ = line.split()
        if its_dag == dag_id and run in ids and (run, task, int(index)) in queued:
            found.append(1000 * (float(moment) - queued[(run, task, int(index))]))
    return sorted(found)


def percentiles(values: Sequence[float], what: str) -> Metrics:
    if not values:
        return {}
    return {
        f"{what} p{percent}": values[min(len(values) - 1, int(len(values) * percent / 100))]
        for percent in (50, 95, 99)
    }


def _tasks(dag_id: str, tasks: int, count: int, timeout: float) -> Callable[[Side], Metrics]:
    def run(side: Side) -> Metrics:
        with measuring(side, per=tasks * count) as measured:
            took, ids = runs(side, dag_id, count=count, timeout=timeout)
        return {
            "seconds": took,
            "tasks/s": tasks * count / took,
            **percentiles(first_lines(side, dag_id, ids), "queued to first line, ms:"),
            **measured.metrics,
        }

    return run


def apart(side: Side, sizes: Sizes) -> Metrics:
    """`wide`, where the plane's machine has one processor and a remote site's machine another."""
    with machines.of_one_processor(side):
        return _tasks("wide", sizes.wide, 1, 1800)(side)


def sleepers(side: Side, sizes: Sizes) -> Metrics:
    """Memory while as many tasks sleep as there are slots."""
    before = processes.pss(side.roles)
    side.rest.unpause("sleepers")
    run = side.rest.trigger("sleepers")
    wanted = min(sizes.sleepers, 16)
    deadline = time.monotonic() + 120
    while _running(side, "sleepers") < wanted and time.monotonic() < deadline:
        time.sleep(0.5)
    time.sleep(4)
    number, during = _running(side, "sleepers"), processes.pss(side.roles)
    side.rest.send("PATCH", f"/dags/sleepers/dagRuns/{run}", {"state": "failed"})
    grown = sum(during[role][1] - before[role][1] for role in before if role == "worker")
    deadline = time.monotonic() + 90
    while processes.pss(side.roles)["worker"][0] > before["worker"][0] and time.monotonic() < deadline:
        time.sleep(1.0)  # until the processes are gone, so that what is measured next finds nothing of them
    return {
        "sleeping": number,
        "MB PSS/sleeping task": grown / max(1, number) / 1e6,
        "MB PSS worker": during["worker"][1] / 1e6,
    }


def _running(side: Side, dag_id: str) -> int:
    rows = side.database.rows(
        "SELECT count(*) FROM task_instance WHERE dag_id = %s AND state = 'running'", (dag_id,)
    )
    return int(rows[0][0])


def idle(side: Side, sizes: Sizes) -> Metrics:
    time.sleep(5)
    with measuring(side) as measured:
        time.sleep(sizes.idle_seconds)
    metrics = {
        name.replace("cpu ms/task", "cpu ms/s").replace("/task", "/s"): value / measured.seconds
        for name, value in measured.metrics.items()
        if "load" not in name
    }
    for role, (count, size) in processes.pss(side.roles).items():
        metrics[f"MB PSS: {role}"] = size / 1e6
        metrics[f"processes: {role}"] = count
    return metrics


def deferrable(side: Side, sizes: Sizes) -> Metrics:
    """Tasks that wait without a worker: from the first start to the last end, which holds the wait itself once."""
    most, memory = 0, 0.0

    def look() -> None:
        nonlocal most, memory
        waiting = int(side.database.rows("SELECT count(*) FROM task_instance WHERE state = 'deferred'")[0][0])
        if waiting > most:
            most, memory = (
                waiting,
                processes.pss({"triggerer": side.roles["triggerer"]})["triggerer"][1] / 1e6,
            )

    with measuring(side, per=sizes.waiters) as measured:
        took, _ = runs(side, "deferrable", timeout=1800, look=look, every=2.0)
    found = {"seconds": took, "waiting at once": float(most), "MB PSS: triggerer while all wait": memory}
    return {**found, **measured.metrics}


def warm(side: Side) -> None:
    """Everything lazy is built: routes, first connections, what an executor has learned about the Dags."""
    for dag_id in ("burst", "imports"):
        runs(side, dag_id, timeout=300)


def all_of(sizes: Sizes) -> dict[str, Callable[[Side], Metrics]]:
    return {
        "wide": _tasks("wide", sizes.wide, 1, 1800),
        "apart": lambda side: apart(side, sizes),
        "chain": _tasks("chain", sizes.chain, 1, 600),
        "burst": _tasks("burst", sizes.burst_tasks, sizes.burst_runs, 1200),
        "imports": _tasks("imports", sizes.imports, 1, 900),
        "sleepers": lambda side: sleepers(side, sizes),
        "idle": lambda side: idle(side, sizes),
        "deferrable": lambda side: deferrable(side, sizes),
        "parse": lambda side: parse.parse(side, sizes.files),
        "crowd": lambda side: crowd.crowd(side, sizes.idle_seconds),
    }
