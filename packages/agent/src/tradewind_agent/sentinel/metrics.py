"""Every metric of the sentinel. `docs/reference/metrics.md` is generated from this table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tradewind_protocol import prometheus
from tradewind_protocol.sentinel import QueueCanary, SentinelReport

Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of the labels, and the value."""


@dataclass(frozen=True)
class Observed:
    """What a sentinel knows at one moment."""

    report: SentinelReport | None  # the last one that was evaluated
    canaries: tuple[QueueCanary, ...]  # as the plane told them last
    reports: int  # that the plane has taken
    age: float | None  # seconds since it took one; None: it has taken none


@dataclass(frozen=True)
class Definition:
    """One metric."""

    name: str
    kind: str  # "gauge" or "counter"
    help: str
    labels: tuple[str, ...]
    of: Callable[[Observed], Samples]


def _findings(seen: Observed) -> Samples:
    checks = Counter(one.check for one in seen.report.findings) if seen.report is not None else Counter()
    return [((check,), float(count)) for check, count in sorted(checks.items())]


def _agents(seen: Observed) -> Samples:
    states = Counter(one.state for one in seen.report.agents) if seen.report is not None else Counter()
    return [((state,), float(count)) for state, count in sorted(states.items())]


def _failures(seen: Observed) -> Samples:
    return [((one.queue, one.hop if one.failures else ""), float(one.failures)) for one in seen.canaries]


METRICS: Final[tuple[Definition, ...]] = (
    Definition("tradewind_sentinel_findings", "gauge", "Findings, by check", ("check",), _findings),
    Definition(
        "tradewind_sentinel_agents",
        "gauge",
        "Pods, units or processes of agents, by state",
        ("state",),
        _agents,
    ),
    Definition(
        "tradewind_sentinel_canary_failures",
        "gauge",
        "Canaries of a queue that failed one after the other, and the part of the way that fails; 0: the last one was good",
        ("queue", "hop"),
        _failures,
    ),
    Definition(
        "tradewind_sentinel_canary_timestamp_seconds",
        "gauge",
        "When the last canary of a queue ended",
        ("queue",),
        lambda seen: [((one.queue,), one.at.timestamp()) for one in seen.canaries],
    ),
    Definition(
        "tradewind_sentinel_canary_seconds",
        "gauge",
        "How long each part of the way took the last canary of a queue",
        ("queue", "hop"),
        lambda seen: [((one.queue, hop), took) for one in seen.canaries for hop, took in one.seconds.items()],
    ),
    Definition(
        "tradewind_sentinel_reports_total",
        "counter",
        "Reports that the plane has taken",
        (),
        lambda seen: [((), float(seen.reports))],
    ),
    Definition(
        "tradewind_sentinel_report_age_seconds",
        "gauge",
        "How long ago the plane took a report",
        (),
        lambda seen: [] if seen.age is None else [((), seen.age)],
    ),
)


def text(seen: Observed) -> str:
    """Prometheus' text format."""
    lines: list[str] = []
    for one in METRICS:
        samples = list(one.of(seen))
        if not samples:
            continue
        lines += prometheus.head(one.name, one.kind, one.help)
        lines += [
            f"{prometheus.series(one.name, one.labels, values)} {_number(value)}" for values, value in samples
        ]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.4f}".rstrip("0")
