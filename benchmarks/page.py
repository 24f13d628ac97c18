"""What docs/benchmarks.md shows: its workloads, its goals, its tables and its picture, all made from benchmarks.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT
from benchmarks.report import ABOUT, cell

NAMES = {
    "tradewind": "Tradewind",
    "local": "LocalExecutor",
    "edge3": "edge3, polls each second",
    "edge3-stock": "edge3",
    "celery": "CeleryExecutor",
}
SECRETS = "secrets"
"""The workload without an executor: what a warm task spends on reading a connection from each secrets backend."""
WORKLOADS = {
    "tradewind": ("wide", "apart", "chain", "burst", "imports", "sleepers", "idle", "crowd"),
    "local": ("wide", "apart", "chain", "burst", "imports", "sleepers", "idle"),
    "edge3": ("wide", "chain"),
}
"""What is measured for the page: some 35 minutes on two quiet cores."""
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"

_TASKS = {
    "tasks/s": "tasks per second",
    "queued to first line, ms: p50": "queued to first line of the task, p50 ms",
    "queued to first line, ms: p95": "queued to first line of the task, p95 ms",
    "cpu ms/task: all": "CPU ms per task, all processes",
    "cpu ms/task: worker": "— worker",
    "cpu ms/task: agent": "— agent",
    "cpu ms/task: API server": "— API server",
    "cpu ms/task: scheduler": "— scheduler",
    "cpu ms/task: database": "— database",
    "million instructions/task: user": "million instructions per task, user",
    "statements/task": "database statements per task",
    "task logs stored/task": "task logs stored per task",
    "requests/task": "requests from site to plane per task",
    "bytes sent/task": "bytes from site to plane per task",
    "others' load, cores": "cores that other programs used meanwhile",
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
_SECRETS = {
    "on, ms: first read": "first read of a task",
    "on, ms: further reads": "further reads",
    "on, ms: the reader": "the reader, for each read",
    "cached, ms: first read": "first read, cached",
    "cached, ms: the reader": "the reader, cached",
    "off, ms: first read": "first read without the accelerator",
    "off, ms: further reads": "further reads without it",
}
_SECTIONS = {
    "wide": ("wide: 1,000 mapped tasks at once", _TASKS),
    "apart": ("apart: wide, on machines of one processor", _TASKS),
    "chain": ("chain: 20 tasks, one after the other", _TASKS),
    "burst": ("burst: 20 runs of 10 tasks at once", _TASKS),
    "imports": ("imports: 50 tasks, one at a time, of a Dag that imports pandas", _TASKS),
    "sleepers": ("sleepers: memory of tasks that sleep", _SLEEPERS),
    "idle": ("idle: nothing to do", _IDLE),
    "crowd": ("crowd: 1,000 simulated agents", _CROWD),
}


@dataclass(frozen=True)
class Goal:
    """A figure and its limit."""

    words: str
    figure: Callable[[dict[str, Any]], float]
    limit: float
    at_least: bool = False
    unit: str = ""

    def row(self, summary: dict[str, Any]) -> str | None:
        """Its row of the table; None when it was not measured."""
        try:
            value = self.figure(summary)
        except KeyError:
            return None
        reached = value >= self.limit if self.at_least else value <= self.limit
        bound = f"at {'least' if self.at_least else 'most'} {self.limit:g}{self.unit}"
        return f"| {self.words} | {bound} | {value:.3g}{self.unit} | {'yes' if reached else '**no**'} |"


def _median(workload: str, executor: str, metric: str) -> Callable[[dict[str, Any]], float]:
    return lambda summary: float(summary[workload][executor][metric]["median"])


def _ratio(workload: str, metric: str, other: str) -> Callable[[dict[str, Any]], float]:
    ours, theirs = _median(workload, "tradewind", metric), _median(workload, other, metric)
    return lambda summary: ours(summary) / theirs(summary)


def _above(workload: str, metric: str, other: str) -> Callable[[dict[str, Any]], float]:
    ours, theirs = _median(workload, "tradewind", metric), _median(workload, other, metric)
    return lambda summary: ours(summary) - theirs(summary)


def _added_statements(summary: dict[str, Any]) -> float:
    found = summary["crowd"]["tradewind"]
    return float(found["idle, statements/s"]["median"]) - float(
        found["without agents, statements/s"]["median"]
    )


def _idle_cores(summary: dict[str, Any]) -> float:
    found = summary["crowd"]["tradewind"]
    return sum(
        float(found[f"idle, cores: {role}"]["median"]) for role in ("API server", "database", "scheduler")
    )


def _dearest_read(summary: dict[str, Any]) -> float:
    return max(float(found["on, ms: first read"]["median"]) for found in summary[SECRETS].values())


_FIRST_LINE = "queued to first line, ms: p50"
GOALS = (
    Goal(
        "`wide`: tasks per second, against LocalExecutor", _ratio("wide", "tasks/s", "local"), 2.5, True, "×"
    ),
    Goal(
        "`wide`: tasks per second, against edge3 that polls each second",
        _ratio("wide", "tasks/s", "edge3"),
        5,
        True,
        "×",
    ),
    Goal(
        "`wide`: tasks per second, against edge3 as installed",
        _ratio("wide", "tasks/s", "edge3-stock"),
        10,
        True,
        "×",
    ),
    Goal(
        "`chain`: p50 to the first line, against LocalExecutor",
        _ratio("chain", _FIRST_LINE, "local"),
        1,
        unit="×",
    ),
    Goal(
        "`chain`: p99 to the first line, above that of LocalExecutor",
        _above("chain", "queued to first line, ms: p99", "local"),
        250,
        unit=" ms",
    ),
    Goal(
        "`imports`: p50 to the first line, against LocalExecutor",
        _ratio("imports", _FIRST_LINE, "local"),
        0.2,
        unit="×",
    ),
    Goal(
        "`sleepers`: one sleeping task",
        _median("sleepers", "tradewind", "MB PSS/sleeping task"),
        25,
        unit=" MB",
    ),
    Goal("`idle`: the agent", _median("idle", "tradewind", "MB PSS: agent"), 60, unit=" MB"),
    Goal("`crowd`: the whole plane, 1,000 idle agents", _idle_cores, 0.25, unit=" cores"),
    Goal("`crowd`: database statements per second that these agents add", _added_statements, 20),
    Goal(
        "`crowd`: p50 from notification to offer",
        _median("crowd", "tradewind", "announced to offer, ms: p50"),
        10,
        unit=" ms",
    ),
    Goal(
        "`secrets`: CPU of a warm task that reads a connection, dearest backend",
        _dearest_read,
        5,
        unit=" ms",
    ),
)


def publish(results: Path) -> None:
    """Put the figures of `results` into the page beside it, and draw the picture."""
    summary = json.loads(results.read_text())
    page = results.with_suffix(".md")
    if page.exists() and _BEGIN in (text := page.read_text()):
        before, _, rest = text.partition(_BEGIN)
        after = rest.partition(_END)[2]
        page.write_text(f"{before}{_BEGIN}\n{shown(summary)}\n{_END}{after}")
    results.with_suffix(".svg").write_text(picture(summary))


def shown(summary: dict[str, Any]) -> str:
    """Everything between the marks of the page: the machine, the goals, a table for each workload."""
    parts = [_about(summary.get(ABOUT, {})), _goals(summary)]
    for name, (title, metrics) in _SECTIONS.items():
        for workload, found in sorted(summary.items()):
            if workload == name or workload.startswith(f"{name} ("):
                variant = workload.removeprefix(name)
                parts.append(f"### {title}{variant}\n\n{_table(found, metrics)}")
    parts.append(_secrets(summary.get(SECRETS, {})))
    return "\n\n".join(part for part in parts if part)


def _about(facts: dict[str, str]) -> str:
    if not facts:
        return (
            "These figures are of a bare site and of an older version: `make bench ARGS=page` replaces them."
        )
    return (
        f"Measured on {facts['measured']} at commit {facts['commit']}: {facts['processors']}, {facts['memory']};"
        f" Python {facts['python']}, Airflow {facts['airflow']}, edge3 {facts['edge3']}."
    )


def _goals(summary: dict[str, Any]) -> str:
    rows = [row for goal in GOALS if (row := goal.row(summary)) is not None]
    return "\n".join(["| goal | limit | measured | reached |", "|---|---|---|---|", *rows]) if rows else ""


def _table(found: dict[str, Any], metrics: dict[str, str]) -> str:
    executors = [name for name in NAMES if name in found]
    lines = [f"| | {' | '.join(NAMES[name] for name in executors)} |", "|---|" + "---|" * len(executors)]
    scales = [str(found[name]["scale"]) for name in executors]
    if len(set(scales)) > 1:
        lines.append(f"| **not the same amount of work**: `--scale` | {' | '.join(scales)} |")
    for metric, words in metrics.items():
        if any(metric in each for each in found.values()):
            cells = [cell(found[name].get(metric)) for name in executors]
            lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _secrets(found: dict[str, Any]) -> str:
    if not found:
        return ""
    lines = [f"| backend | {' | '.join(_SECRETS.values())} |", "|---|" + "---|" * len(_SECRETS)]
    for backend, metrics in sorted(found.items()):
        lines.append(f"| {backend} | {' | '.join(cell(metrics.get(each)) for each in _SECRETS)} |")
    title = "### secrets: a connection from a network backend, ms of CPU"
    return "\n".join([title, "", *lines])


def picture(summary: dict[str, Any]) -> str:
    """Bars of tasks per second and of CPU per task in `wide`, as SVG."""
    found = summary.get("wide", {})
    rows: list[str] = []
    y = 20
    for metric, words in (
        ("tasks/s", "wide: tasks per second"),
        ("cpu ms/task: all", "wide: CPU ms per task"),
    ):
        values = {name: found[name][metric]["median"] for name in NAMES if metric in found.get(name, {})}
        rows.append(f'<text x="10" y="{y}" font-weight="bold">{words}</text>')
        y += 8
        for name, value in values.items():
            width = 280 * value / max(values.values())
            color = "#1b7f79" if name == "tradewind" else "#9aa5ad"
            rows.append(f'<rect x="170" y="{y}" width="{width:.0f}" height="16" fill="{color}"/>')
            rows.append(f'<text x="10" y="{y + 13}">{NAMES[name]}</text>')
            rows.append(f'<text x="{176 + width:.0f}" y="{y + 13}">{value:.4g}</text>')
            y += 22
        y += 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="520" height="{y}" font-family="sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="white"/>' + "".join(rows) + "</svg>\n"
    )


def main() -> None:
    """`python -m benchmarks.page`: write the page anew from the figures that are kept."""
    publish(ROOT / "docs" / "benchmarks.json")


if __name__ == "__main__":
    main()
