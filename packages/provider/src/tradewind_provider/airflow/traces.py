"""OpenTelemetry as Airflow sets it up ([traces] otel_on): its provider, its way to choose a span's id."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow._shared.observability.traces import override_ids
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_tracer = trace.get_tracer("tradewind_provider")
_propagator = TraceContextTextMapPropagator()


def sampled(carrier: Any) -> str:
    """The `traceparent` of a carrier; empty when there is none or its trace is not recorded."""
    if not isinstance(carrier, Mapping) or _context(str(carrier.get("traceparent", ""))) is None:
        return ""
    return str(carrier["traceparent"])


def below(traceparent: str, key: str) -> str:
    """The `traceparent` of the span `key` below `traceparent`: the same in every process."""
    above = _context(traceparent)
    return "" if above is None else f"00-{above.trace_id:032x}-{_span_id(key):016x}-01"


def record(
    name: str,
    *,
    parent: str,
    key: str,
    start: datetime,
    end: datetime,
    attributes: Mapping[str, str | int],
    failed: str = "",
) -> None:
    """Record something that took time, as the span `key` below the `traceparent` `parent`. Recorded twice under one
    key it is the same span twice, which a collector takes for one. Does nothing when Airflow does not trace."""
    above = _context(parent)
    if above is None:
        return
    context = trace.set_span_in_context(NonRecordingSpan(above))
    with override_ids(above.trace_id, _span_id(key)):
        span = _tracer.start_span(
            name, context=context, start_time=_nanoseconds(start), attributes=dict(attributes)
        )
    span.set_status(Status(StatusCode.ERROR, failed) if failed else Status(StatusCode.OK))
    span.end(_nanoseconds(max(start, end)))


def _context(traceparent: str) -> SpanContext | None:
    if not traceparent:
        return None
    found = trace.get_current_span(_propagator.extract({"traceparent": traceparent})).get_span_context()
    return found if found.is_valid and found.trace_flags & TraceFlags.SAMPLED else None


def _span_id(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") or 1


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000
