"""The table of the workload `secrets` in docs/benchmarks-of-parts.md, made from benchmarks-of-parts.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.environments import ROOT
from benchmarks.report import cell, put

SECRETS = "secrets"
"""The workload without an executor: what a warm task spends on reading a connection from each secrets backend."""
RESULTS = ROOT / "docs" / "benchmarks-of-parts.json"
LIMIT = 5.0
"""Milliseconds of CPU that the first read of a warm task may take, from the dearest backend."""

_METRICS = {
    "on, ms: first read": "first read of a task",
    "on, ms: further reads": "further reads",
    "on, ms: the reader": "the process that reads for all, each time",
    "cached, ms: first read": "first read, cached",
    "cached, ms: the reader": "the process that reads for all, cached",
    "off, ms: first read": "first read without the accelerator",
    "off, ms: further reads": "further reads without it",
}


def publish(results: Path) -> None:
    """Put the figures of `results` into the page beside it."""
    put(shown(json.loads(results.read_text())[SECRETS]), results.with_suffix(".md"))


def shown(found: dict[str, Any]) -> str:
    """A row for each backend, and whether the dearest one reaches the goal."""
    lines = [f"| backend | {' | '.join(_METRICS.values())} |", "|---|" + "---|" * len(_METRICS)]
    for backend, metrics in sorted(found.items()):
        lines.append(f"| {backend} | {' | '.join(cell(metrics.get(each)) for each in _METRICS)} |")
    dearest = max(float(metrics["on, ms: first read"]["median"]) for metrics in found.values())
    reached = "reached" if dearest <= LIMIT else "**not reached**"
    goal = f"The goal is that the first read from the dearest backend takes {LIMIT:g} ms at most: {dearest:.3g} ms, {reached}."
    return "\n".join([*lines, "", goal])


def main() -> None:
    """`python -m benchmarks.secrets_page`: write the page anew from the figures that are kept."""
    publish(RESULTS)


if __name__ == "__main__":
    main()
