"""What docs/benchmarks.md shows: its workloads and its tables, made from benchmarks.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks import executors, goals, picture
from benchmarks.environments import ROOT
from benchmarks.report import ABOUT, cell, put

WORKLOADS = {
    "tradewind": ("wide", "apart", "chain", "burst", "imports", "sleepers", "idle", "crowd"),
    "local": ("wide", "apart", "chain", "burst", "imports", "sleepers", "idle"),
    "edge3": ("wide", "chain"),
}
"""What is measured for the page: some 30 minutes on two quiet cores."""

_THROUGHPUT = {
    "tasks/s": "tasks per second",
    "cpu ms/task: all": "CPU ms per task, all processes",
    "cpu ms/task: worker": "— worker",
    "cpu ms/task: agent": "— agent",
    "cpu ms/task: API server": "— API server",
    "cpu ms/task: scheduler": "— scheduler",
    "cpu ms/task: database": "— database",
    "statements/task": "database statements per task",
    "requests/task": "requests from site to plane per task",
    "bytes sent/task": "bytes from site to plane per task",
    "others' load, cores": "cores that other programs used meanwhile",
}
_LATENCY = {
    "queued to first line, ms: p50": "queued to first line of the task, p50 ms",
    "queued to first line, ms: p95": "queued to first line of the task, p95 ms",
    **{metric: words for metric, words in _THROUGHPUT.items() if metric != "tasks/s"},
}
_SLEEPERS = {
    "sleeping": "tasks asleep",
    "MB PSS/sleeping task": "MB per sleeping task",
    "MB PSS worker": "MB of all worker processes",
}
_IDLE = {
    "cpu ms/s: all": "CPU ms per second, all processes",
    "statements/s": "database statements per second",
    "MB PSS: agent": "MB of the agent",
    "MB PSS: worker": "MB of the worker processes",
    "bytes sent/s": "bytes from site to plane per second",
}
_CROWD = {
    "agents": "agents",
    "idle, cores: API server": "idle: cores, API server",
    "idle, cores: database": "idle: cores, database",
    "idle, statements/s": "idle: database statements per second",
    "without agents, statements/s": "without agents: database statements per second",
    "idle, polls/s": "idle: polls per second",
    "trickle, cores: API server": "two tasks per second: cores, API server",
    "announced to offer, ms: p50": "notification to offer, p50 ms",
    "announced to offer, ms: p95": "notification to offer, p95 ms",
    "problems": "failed requests",
}
_SECTIONS = {
    "wide": ("wide: 1,000 mapped tasks at once", _THROUGHPUT),
    "apart": ("apart: wide, on machines of one processor", _THROUGHPUT),
    "chain": ("chain: 20 tasks, one after the other", _LATENCY),
    "burst": ("burst: 20 runs of 10 tasks at once", _THROUGHPUT),
    "imports": ("imports: 50 tasks, one at a time, of a Dag that imports pandas", _LATENCY),
    "sleepers": ("sleepers: memory of tasks that sleep", _SLEEPERS),
    "idle": ("idle: nothing to do", _IDLE),
    "crowd": ("crowd: 1,000 simulated agents", _CROWD),
}


def publish(results: Path) -> None:
    """Put the figures of `results` into the page beside it, and draw the picture."""
    summary = json.loads(results.read_text())
    put(shown(summary), results.with_suffix(".md"))
    results.with_suffix(".svg").write_text(picture.drawn(summary))


def shown(summary: dict[str, Any]) -> str:
    """Everything between the marks of the page: the machine, the goals, a table for each workload."""
    parts = [_about(summary), goals.table(summary)]
    for name, (title, metrics) in _SECTIONS.items():
        for workload, found in sorted(summary.items()):
            if workload == name or workload.startswith(f"{name} ("):
                variant = workload.removeprefix(name)
                parts.append(f"### {title}{variant}\n\n{_table(found, metrics)}")
    return "\n\n".join(part for part in parts if part)


def _about(summary: dict[str, Any]) -> str:
    facts: dict[str, str] = summary.get(ABOUT, {})
    if not facts:
        return (
            "These figures are of a bare site and of an older version: `make bench ARGS=page` replaces them."
        )
    edge3 = f", edge3 {facts['edge3']}" if "edge3" in summary.get("wide", {}) else ""
    return (
        f"Measured on {facts['measured']} at commit {facts['commit']}: {facts['processors']}, {facts['memory']};"
        f" Python {facts['python']}, Airflow {facts['airflow']}{edge3}."
    )


def _table(found: dict[str, Any], metrics: dict[str, str]) -> str:
    columns = [name for name in executors.NAMES if name in found]
    lines = [
        f"| | {' | '.join(executors.NAMES[name] for name in columns)} |",
        "|---|" + "---|" * len(columns),
    ]
    scales = [str(found[name]["scale"]) for name in columns]
    if len(set(scales)) > 1:
        lines.append(f"| **not the same amount of work**: `--scale` | {' | '.join(scales)} |")
    for metric, words in metrics.items():
        if any(metric in each for each in found.values()):
            cells = [cell(found[name].get(metric)) for name in columns]
            lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """`python -m benchmarks.page`: write the page anew from the figures that are kept."""
    publish(ROOT / "docs" / "benchmarks.json")


if __name__ == "__main__":
    main()
