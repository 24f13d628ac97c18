"""Results: JSON for machines (workload → executor → metric → median, min, max), a table and a picture for people."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Spread = dict[str, float]


class Results:
    """What was measured in this run, and how it is kept. What is measured again replaces what was there."""

    def __init__(self, path: Path, *, scale: float) -> None:
        self._path = path
        self._scale = scale
        self._values: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(list))
        )

    def add(self, workload: str, executor: str, metrics: dict[str, float]) -> None:
        for metric, value in metrics.items():
            self._values[workload][executor][metric].append(value)

    def summary(self) -> dict[str, dict[str, dict[str, Spread]]]:
        return {
            workload: {
                executor: {metric: spread(values) for metric, values in metrics.items()}
                for executor, metrics in executors.items()
            }
            for workload, executors in self._values.items()
        }

    def write(self) -> None:
        """Merge into the JSON file."""
        kept: dict[str, Any] = json.loads(self._path.read_text()) if self._path.exists() else {}
        for workload, executors in self.summary().items():
            for executor, metrics in executors.items():
                kept.setdefault(workload, {})[executor] = {"scale": self._scale, **metrics}
        self._path.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")

    def table(self, workloads: Sequence[str], executors: Sequence[str]) -> str:
        return table(self.summary(), executors)


def spread(values: Sequence[float]) -> Spread:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "repeats": len(values),
    }


def table(summary: dict[str, Any], executors: Sequence[str], *, metrics: Sequence[str] = ()) -> str:
    """Markdown: a row per workload and metric, a column per executor, ratios to the first one's."""
    first = executors[0]
    lines = [
        "| workload | metric | " + " | ".join(executors) + " | ratio |",
        "|---|---|" + "---|" * (len(executors) + 1),
    ]
    for workload, found in summary.items():
        names = list(dict.fromkeys(metric for each in found.values() for metric in each if metric != "scale"))
        for metric in names:
            if metrics and metric not in metrics:
                continue
            cells = [_cell(found.get(executor, {}).get(metric)) for executor in executors]
            ratio = _ratio(found, first, executors, metric)
            lines.append(f"| {workload} | {metric} | " + " | ".join(cells) + f" | {ratio} |")
    return "\n".join(lines)


def _cell(value: Spread | None) -> str:
    if value is None:
        return "–"
    if value["min"] == value["max"]:
        return f"{value['median']:.4g}"
    return f"{value['median']:.4g} ({value['min']:.4g}–{value['max']:.4g})"


def _ratio(found: dict[str, Any], first: str, executors: Sequence[str], metric: str) -> str:
    """How the first one stands to each of the others."""
    ours = found.get(first, {}).get(metric)
    parts = []
    for other in executors[1:]:
        theirs = found.get(other, {}).get(metric)
        if ours and theirs and theirs["median"]:
            parts.append(f"{ours['median'] / theirs['median']:.2f}× {other}")
    return ", ".join(parts) or "–"


# ---- what docs/benchmarks.md shows

ORDER = ("tradewind", "local", "edge3", "edge3-stock", "celery")
SHOWN = {
    "tasks/s": "tasks per second",
    "seconds": "seconds",
    "queued to first line, ms: p50": "queued to first line of user code, p50 ms",
    "queued to first line, ms: p95": "the same, p95 ms",
    "queued to first line, ms: p99": "the same, p99 ms",
    "cpu ms/task: worker": "CPU ms per task: worker",
    "cpu ms/task: agent": "CPU ms per task: agent",
    "cpu ms/task: API server": "CPU ms per task: API server",
    "cpu ms/task: scheduler": "CPU ms per task: scheduler",
    "cpu ms/task: database": "CPU ms per task: database",
    "cpu ms/task: all": "CPU ms per task: everything",
    "million instructions/task: user": "million instructions per task: user",
    "million instructions/task: kernel": "million instructions per task: kernel",
    "statements/task": "database statements per task",
    "connections/task": "database connections opened per task",
    "requests/task": "requests per task",
    "bytes sent/task": "bytes sent per task",
    "waiting at once": "tasks that waited at once",
    "MB PSS: triggerer while all wait": "MB PSS of the triggerer while all wait",
    "MB PSS/sleeping task": "MB PSS per sleeping task",
    "cpu ms/s: all": "CPU ms per second: everything",
    "statements/s": "database statements per second",
    "MB PSS: agent": "MB PSS: agent",
    "MB PSS: worker": "MB PSS: worker",
    "bytes sent/s": "bytes sent per second",
    "files": "Dag files",
    "first: seconds": "seconds until all Dags are known",
    "first: parses/file": "parses of each file until then",
    "first: cpu ms/file: dag processor": "CPU ms per file: Dag processor",
    "first: cpu ms/file: all": "CPU ms per file: everything",
    "first: bytes of Dag data/file": "bytes of Dag data per file",
    "unchanged: parses/file": "unchanged for a minute: parses of each file",
    "unchanged: cpu ms/s: dag processor": "unchanged: CPU ms per second: Dag processor",
    "unchanged: cpu ms/parse: dag processor": "unchanged: CPU ms per parse: Dag processor",
    "unchanged: cpu ms/s: all": "unchanged: CPU ms per second: everything",
    "unchanged: statements/s": "unchanged: database statements per second",
    "unchanged: bytes of Dag data": "unchanged: bytes of Dag data",
    "others' load, cores": "cores others used meanwhile",
}
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"


def publish(results: Path) -> None:
    """Put the table of everything in `results` into the page beside it, and draw the picture."""
    summary = json.loads(results.read_text())
    page = results.with_suffix(".md")
    if page.exists() and _BEGIN in (text := page.read_text()):
        before, _, rest = text.partition(_BEGIN)
        after = rest.partition(_END)[2]
        page.write_text(f"{before}{_BEGIN}\n{shown(summary)}\n{_END}{after}")
    results.with_suffix(".svg").write_text(picture(summary))


def shown(summary: dict[str, Any]) -> str:
    """The table people read: chosen metrics, in words."""
    lines = ["| workload | | " + " | ".join(ORDER) + " |", "|---|---|" + "---|" * len(ORDER)]
    for workload, found in sorted(summary.items()):
        if workload == "crowd":
            continue
        scales = [str(found[executor]["scale"]) if executor in found else "–" for executor in ORDER]
        if len({scale for scale in scales if scale != "–"}) > 1:
            lines.append(
                f"| {workload} | **not the same amount of work**: `--scale` | " + " | ".join(scales) + " |"
            )
        for metric, words in SHOWN.items():
            if any(metric in each for each in found.values()):
                cells = [_cell(found.get(executor, {}).get(metric)) for executor in ORDER]
                lines.append(f"| {workload} | {words} | " + " | ".join(cells) + " |")
    lines += ["", "| 1,000 agents | |", "|---|---|"]
    for metric, value in sorted(summary.get("crowd", {}).get("tradewind", {}).items()):
        if metric != "scale":
            lines.append(f"| {metric} | {_cell(value)} |")
    return "\n".join(lines)


def picture(summary: dict[str, Any]) -> str:
    """Bars of tasks per second and of CPU per task in `wide`, as SVG."""
    found = summary.get("wide", {})
    rows: list[str] = []
    y = 20
    for metric, words in (
        ("tasks/s", "wide: tasks per second"),
        ("cpu ms/task: all", "wide: CPU ms per task"),
    ):
        values = {name: found[name][metric]["median"] for name in ORDER if metric in found.get(name, {})}
        rows.append(f'<text x="10" y="{y}" font-weight="bold">{words}</text>')
        y += 8
        for name, value in values.items():
            width = 360 * value / max(values.values())
            color = "#1b7f79" if name == "tradewind" else "#9aa5ad"
            rows.append(f'<rect x="90" y="{y}" width="{width:.0f}" height="16" fill="{color}"/>')
            rows.append(f'<text x="10" y="{y + 13}">{name}</text>')
            rows.append(f'<text x="{96 + width:.0f}" y="{y + 13}">{value:.4g}</text>')
            y += 22
        y += 20
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="520" height="{y}" font-family="sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="white"/>' + "".join(rows) + "</svg>\n"
    )
