"""What the executors' figures are held to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A figure and its limit."""

    words: str
    figure: Callable[[dict[str, Any]], float]
    limit: float
    at_least: bool = False
    unit: str = ""
    why: str = ""  # it is not reached: a page, as seen from docs/

    def row(self, summary: dict[str, Any]) -> str | None:
        """Its row of the table; None when it was not measured."""
        try:
            value = self.figure(summary)
        except KeyError:
            return None
        reached = value >= self.limit if self.at_least else value <= self.limit
        bound = f"at {'least' if self.at_least else 'most'} {self.limit:g}{self.unit}"
        missed = f"**no**: [why]({self.why})" if self.why else "**no**"
        return f"| {self.words} | {bound} | {value:.3g}{self.unit} | {'yes' if reached else missed} |"


def _median(workload: str, executor: str, metric: str) -> Callable[[dict[str, Any]], float]:
    return lambda summary: float(summary[workload][executor][metric]["median"])


def _ratio(workload: str, metric: str, other: str) -> Callable[[dict[str, Any]], float]:
    ours, theirs = _median(workload, "tradewind", metric), _median(workload, other, metric)
    return lambda summary: ours(summary) / theirs(summary)


def _above(workload: str, metric: str, other: str) -> Callable[[dict[str, Any]], float]:
    ours, theirs = _median(workload, "tradewind", metric), _median(workload, other, metric)
    return lambda summary: ours(summary) - theirs(summary)


def _added_statements(summary: dict[str, Any]) -> float:
    """Zero where there were fewer with the agents: then the difference is what else happens, less or more."""
    found = summary["crowd"]["tradewind"]
    with_agents, without = (found[f"{when}, statements/s"]["median"] for when in ("idle", "without agents"))
    return max(0.0, float(with_agents) - float(without))


def _idle_cores(summary: dict[str, Any]) -> float:
    found = summary["crowd"]["tradewind"]
    return sum(
        float(found[f"idle, cores: {role}"]["median"]) for role in ("API server", "database", "scheduler")
    )


_FIRST_LINE = "queued to first line, ms: p50"
GOALS = (
    Goal(
        "`wide`: tasks per second, against LocalExecutor",
        _ratio("wide", "tasks/s", "local"),
        2.5,
        True,
        "×",
        why="adr/0019-what-two-and-a-half-times-would-need.md",
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
)


def table(summary: dict[str, Any]) -> str:
    """A row for each goal that was measured; empty when none was."""
    rows = [row for goal in GOALS if (row := goal.row(summary)) is not None]
    return "\n".join(["| goal | limit | measured | reached |", "|---|---|---|---|", *rows]) if rows else ""
