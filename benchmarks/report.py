"""Results: JSON for machines (workload → executor → metric → median, min, max), a table for people."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Spread = dict[str, float]
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
ABOUT = "about"
"""Beside the workloads in the JSON file: when, on what machine and with which versions the page's figures were measured."""


class Results:
    """What was measured in this run, and how it is kept.

    With `keep`, what is measured again replaces what was there; without it, everything that was there is dropped.
    """

    def __init__(
        self, path: Path, *, scale: float, keep: bool = True, about: Mapping[str, str] | None = None
    ) -> None:
        self._path = path
        self._scale = scale
        self._kept: dict[str, Any] = json.loads(path.read_text()) if keep and path.exists() else {}
        if not keep:
            self._kept[ABOUT] = dict(about or {})
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
        """Write what is kept and what was measured so far to the JSON file."""
        for workload, executors in self.summary().items():
            for executor, metrics in executors.items():
                self._kept.setdefault(workload, {})[executor] = {"scale": self._scale, **metrics}
        self._path.write_text(json.dumps(self._kept, indent=1, sort_keys=True) + "\n")

    def table(self, executors: Sequence[str]) -> str:
        return table(self.summary(), executors)


def spread(values: Sequence[float]) -> Spread:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
        "repeats": len(values),
    }


def table(summary: dict[str, Any], executors: Sequence[str]) -> str:
    """Markdown: a row per workload and metric, a column per executor, ratios to the first one's."""
    first = executors[0]
    lines = [
        "| workload | metric | " + " | ".join(executors) + " | ratio |",
        "|---|---|" + "---|" * (len(executors) + 1),
    ]
    for workload, found in summary.items():
        names = list(dict.fromkeys(metric for each in found.values() for metric in each if metric != "scale"))
        for metric in names:
            cells = [cell(found.get(executor, {}).get(metric)) for executor in executors]
            ratio = _ratio(found, first, executors, metric)
            lines.append(f"| {workload} | {metric} | " + " | ".join(cells) + f" | {ratio} |")
    return "\n".join(lines)


def cell(value: Spread | None) -> str:
    if value is None:
        return "–"
    if value["min"] == value["max"]:
        return _number(value["median"])
    return f"{_number(value['median'])} ({_number(value['min'])}–{_number(value['max'])})"


def _number(value: float) -> str:
    """Three digits that count, and no exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def put(figures: str, page: Path) -> None:
    """Write them between the marks of the page, which keeps its words. A page without marks, or none, stays as it is."""
    if page.exists() and _BEGIN in (text := page.read_text()):
        before, _, rest = text.partition(_BEGIN)
        page.write_text(f"{before}{_BEGIN}\n{figures}\n{_END}{rest.partition(_END)[2]}")


def _ratio(found: dict[str, Any], first: str, executors: Sequence[str], metric: str) -> str:
    """How the first one stands to each of the others."""
    ours = found.get(first, {}).get(metric)
    parts = []
    for other in executors[1:]:
        theirs = found.get(other, {}).get(metric)
        if ours and theirs and theirs["median"]:
            parts.append(f"{ours['median'] / theirs['median']:.2f}× {other}")
    return ", ".join(parts) or "–"
