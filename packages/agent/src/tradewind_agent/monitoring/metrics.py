"""Every metric of the agent, by Prometheus' conventions: base units, counters end in `_total`.

`docs/reference/metrics.md` is generated from this table. Labels are names from the settings (environments), of
components, of checks and of accelerators: a handful each. Nothing has a label for a Dag, a task or an attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from tradewind_protocol import prometheus
from tradewind_protocol.prometheus import Samples

Document = Mapping[str, Any]
"""What `status.StatusBoard.document` returns."""

MetricDefinition = prometheus.MetricDefinition[Document]


def _number(key: str) -> Callable[[Document], Samples]:
    def of(document: Document) -> Samples:
        value = document.get("metrics", {}).get(key)
        return () if value is None else (((), float(value)),)

    return of


def _slots(document: Document) -> Samples:
    for each in document.get("environments", ()):
        yield (each["name"], "used"), each["used"]
        yield (each["name"], "free"), max(0, each["slots"] - each["used"])


def _hosts(value: Callable[[Mapping[str, Any]], float]) -> Callable[[Document], Samples]:
    def of(document: Document) -> Samples:
        for each in document.get("hosts", ()):
            yield (each["component"], each["environment"]), value(each)

    return of


def _accelerators(document: Document) -> Samples:
    for each in document.get("hosts", ()):
        for name, reason in each.get("accelerators", {}).items():
            yield (each["component"], each["environment"], name), 0.0 if reason else 1.0


_COUNTED: Final = (("exited", "success"), ("exited", "failed"), ("killed", "failed"))
"""Ends with a series before the first: Prometheus takes no first sample for an increase."""


def _ended(document: Document) -> Samples:
    counts = dict.fromkeys(_COUNTED, 0.0)
    for each in document.get("metrics", {}).get("attempts_ended", ()):
        counts[each["process"], each["task_state"]] = float(each["count"])
    return sorted(counts.items())


def _ready(document: Document) -> Samples:
    return (((), 0.0 if document.get("not_ready") else 1.0),)


def _build(document: Document) -> Samples:
    return (((str(document.get("agent", {}).get("version", "")),), 1.0),)


def _findings(document: Document) -> Samples:
    counts: dict[str, int] = {}
    for each in document.get("findings", ()):
        kind = str(each["check"]).partition(":")[0]
        counts[kind] = counts.get(kind, 0) + 1
    return [((kind,), float(count)) for kind, count in sorted(counts.items())]


METRICS: Final[tuple[MetricDefinition, ...]] = (
    MetricDefinition("tradewind_agent_build_info", "1, with the agent's version", ("version",), _build),
    MetricDefinition("tradewind_agent_ready", "1 while nothing keeps it from taking work", (), _ready),
    MetricDefinition(
        "tradewind_agent_plane_reachable", "1 while the plane answers", (), _number("plane_reachable")
    ),
    MetricDefinition(
        "tradewind_agent_plane_answer_age_seconds",
        "Since the plane's last answer; absent before the first",
        (),
        _number("plane_answer_age_seconds"),
    ),
    MetricDefinition("tradewind_agent_attempts", "Attempts held or alive", (), _number("attempts_live")),
    MetricDefinition(
        "tradewind_agent_attempts_ended_total",
        "Attempts ended since the start, by the end of their process and the state it left their task in",
        ("process", "task_state"),
        _ended,
        kind="counter",
    ),
    MetricDefinition(
        "tradewind_agent_disk_free_bytes",
        "Free space where outcomes and logs are written",
        (),
        _number("disk_free_bytes"),
    ),
    MetricDefinition(
        "tradewind_agent_disk_size_bytes", "Size of that file system", (), _number("disk_size_bytes")
    ),
    MetricDefinition(
        "tradewind_agent_slots", "Slots of an environment, used and free", ("environment", "state"), _slots
    ),
    MetricDefinition(
        "tradewind_agent_outbox_entries",
        "Requests that wait for the plane on disk",
        (),
        _number("outbox_entries"),
    ),
    MetricDefinition(
        "tradewind_agent_outbox_oldest_seconds",
        "How long the oldest of them has waited; 0 when none does",
        (),
        _number("outbox_oldest_seconds"),
    ),
    MetricDefinition(
        "tradewind_agent_outbox_dropped_total",
        "Requests of the outbox the plane would not take",
        (),
        _number("outbox_dropped"),
        kind="counter",
    ),
    MetricDefinition("tradewind_agent_draining", "1 while it drains", (), _number("draining")),
    MetricDefinition("tradewind_agent_cordoned", "1 while it is cordoned", (), _number("cordoned")),
    MetricDefinition("tradewind_agent_log_streams", "Logs sent to readers now", (), _number("log_streams")),
    MetricDefinition(
        "tradewind_agent_traces_dropped_total",
        "Batches of spans the collector did not take; absent without a collector",
        (),
        _number("traces_dropped"),
        kind="counter",
    ),
    MetricDefinition("tradewind_agent_findings", "Own checks that fail, by kind", ("check",), _findings),
    MetricDefinition(
        "tradewind_agent_host_ready",
        "1 while the process works",
        ("component", "environment"),
        _hosts(lambda host: 1.0 if host["state"] == "ready" else 0.0),
    ),
    MetricDefinition(
        "tradewind_agent_host_restarts_total",
        "Times the process was started again",
        ("component", "environment"),
        _hosts(lambda host: float(host["restarts"])),
        kind="counter",
    ),
    MetricDefinition(
        "tradewind_agent_accelerator",
        "1 while an accelerator is on in a process of a task environment, 0 while it is off",
        ("component", "environment", "accelerator"),
        _accelerators,
    ),
)


def text(document: Document) -> str:
    """Prometheus' text format."""
    return prometheus.text(METRICS, document)
