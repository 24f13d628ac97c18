"""Every metric of the sentinel. `docs/reference/metrics.md` is generated from this table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from tradewind_protocol import prometheus
from tradewind_protocol.prometheus import Samples
from tradewind_protocol.sentinel import QueueCanary, SentinelReport


@dataclass(frozen=True)
class Observed:
    """What a sentinel knows at one moment."""

    report: SentinelReport | None  # the last one that was evaluated
    canaries: tuple[QueueCanary, ...]  # as the plane told them last
    reports: int  # that the plane has taken
    age: float | None  # seconds since it took one; None: it has taken none


MetricDefinition = prometheus.MetricDefinition[Observed]


def _findings(seen: Observed) -> Samples:
    checks = Counter(one.check for one in seen.report.findings) if seen.report is not None else Counter()
    return [((check,), float(count)) for check, count in sorted(checks.items())]


def _agents(seen: Observed) -> Samples:
    states = Counter(one.state for one in seen.report.agents) if seen.report is not None else Counter()
    return [((state,), float(count)) for state, count in sorted(states.items())]


def _failures(seen: Observed) -> Samples:
    return [((one.queue, one.hop if one.failures else ""), float(one.failures)) for one in seen.canaries]


METRICS: Final[tuple[MetricDefinition, ...]] = (
    MetricDefinition("tradewind_sentinel_findings", "Findings, by check", ("check",), _findings),
    MetricDefinition(
        "tradewind_sentinel_agents", "Pods, units or processes of agents, by state", ("state",), _agents
    ),
    MetricDefinition(
        "tradewind_sentinel_canary_failures",
        "Canaries of a queue that failed one after the other, and the part of the way that fails; 0: the last one was good",
        ("queue", "hop"),
        _failures,
    ),
    MetricDefinition(
        "tradewind_sentinel_canary_timestamp_seconds",
        "When the last canary of a queue ended",
        ("queue",),
        lambda seen: [((one.queue,), one.at.timestamp()) for one in seen.canaries],
    ),
    MetricDefinition(
        "tradewind_sentinel_canary_seconds",
        "How long each part of the way took the last canary of a queue",
        ("queue", "hop"),
        lambda seen: [((one.queue, hop), took) for one in seen.canaries for hop, took in one.seconds.items()],
    ),
    MetricDefinition(
        "tradewind_sentinel_reports_total",
        "Reports that the plane has taken",
        (),
        lambda seen: [((), float(seen.reports))],
        kind="counter",
    ),
    MetricDefinition(
        "tradewind_sentinel_report_age_seconds",
        "How long ago the plane took a report",
        (),
        lambda seen: [] if seen.age is None else [((), seen.age)],
    ),
)


def text(seen: Observed) -> str:
    """Prometheus' text format."""
    return prometheus.text(METRICS, seen)
