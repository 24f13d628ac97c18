"""Every metric of the agent, by Prometheus' conventions: base units, counters end in `_total`.

`docs/reference/metrics.md` is generated from this table. Labels are names from the settings (environments), of
components, of checks and of accelerators: a handful each. Nothing has a label for a Dag, a task or an attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Document = Mapping[str, Any]
"""`status.Board.document`."""

Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values of the labels, and the value."""


@dataclass(frozen=True)
class Definition:
    """One metric."""

    name: str
    kind: str  # "gauge" or "counter"
    help: str
    labels: tuple[str, ...]
    of: Callable[[Document], Samples]


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


_TOLD_OF: Final = (("exited", "success"), ("exited", "failed"), ("killed", "failed"))
"""Ends with a series before the first: Prometheus takes no first sample for an increase."""


def _ended(document: Document) -> Samples:
    counts = dict.fromkeys(_TOLD_OF, 0.0)
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


METRICS: Final = (
    Definition("tradewind_agent_build_info", "gauge", "1, with the agent's version", ("version",), _build),
    Definition("tradewind_agent_ready", "gauge", "1 while nothing keeps it from taking work", (), _ready),
    Definition(
        "tradewind_agent_plane_reachable",
        "gauge",
        "1 while the plane answers",
        (),
        _number("plane_reachable"),
    ),
    Definition(
        "tradewind_agent_plane_answer_age_seconds",
        "gauge",
        "Since the plane's last answer; absent before the first",
        (),
        _number("plane_answer_age_seconds"),
    ),
    Definition("tradewind_agent_attempts", "gauge", "Attempts held or alive", (), _number("attempts_live")),
    Definition(
        "tradewind_agent_attempts_ended_total",
        "counter",
        "Attempts ended since the start, by the end of their process and the state it left their task in",
        ("process", "task_state"),
        _ended,
    ),
    Definition(
        "tradewind_agent_disk_free_bytes",
        "gauge",
        "Free space where outcomes and logs are written",
        (),
        _number("disk_free_bytes"),
    ),
    Definition(
        "tradewind_agent_disk_size_bytes",
        "gauge",
        "Size of that file system",
        (),
        _number("disk_size_bytes"),
    ),
    Definition(
        "tradewind_agent_slots",
        "gauge",
        "Slots of an environment, used and free",
        ("environment", "state"),
        _slots,
    ),
    Definition(
        "tradewind_agent_outbox_entries",
        "gauge",
        "Requests that wait for the plane on disk",
        (),
        _number("outbox_entries"),
    ),
    Definition(
        "tradewind_agent_outbox_oldest_seconds",
        "gauge",
        "How long the oldest of them has waited; 0 when none does",
        (),
        _number("outbox_oldest_seconds"),
    ),
    Definition(
        "tradewind_agent_outbox_dropped_total",
        "counter",
        "Requests of the outbox the plane would not take",
        (),
        _number("outbox_dropped"),
    ),
    Definition("tradewind_agent_draining", "gauge", "1 while it drains", (), _number("draining")),
    Definition("tradewind_agent_cordoned", "gauge", "1 while it is cordoned", (), _number("cordoned")),
    Definition(
        "tradewind_agent_log_streams",
        "gauge",
        "Logs sent to readers now",
        (),
        _number("log_streams"),
    ),
    Definition(
        "tradewind_agent_traces_dropped_total",
        "counter",
        "Batches of spans the collector did not take; absent without a collector",
        (),
        _number("traces_dropped"),
    ),
    Definition("tradewind_agent_findings", "gauge", "Own checks that fail, by kind", ("check",), _findings),
    Definition(
        "tradewind_agent_host_ready",
        "gauge",
        "1 while the process works",
        ("component", "environment"),
        _hosts(lambda host: 1.0 if host["state"] == "ready" else 0.0),
    ),
    Definition(
        "tradewind_agent_host_restarts_total",
        "counter",
        "Times the process was started again",
        ("component", "environment"),
        _hosts(lambda host: float(host["restarts"])),
    ),
    Definition(
        "tradewind_agent_accelerator",
        "gauge",
        "1 while an accelerator is on in a process of a task environment, 0 while it is off",
        ("component", "environment", "accelerator"),
        _accelerators,
    ),
)
