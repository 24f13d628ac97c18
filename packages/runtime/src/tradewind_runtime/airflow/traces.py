"""OpenTelemetry at a site: the spans that Airflow and user code make in a task's process and in that of triggers, left with the
agent.

Airflow would send them to a collector from each process, which at its end waits for a collector that is not there. The
agent takes them at once, so that a task needs neither a way to the collector nor its credential.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler

from tradewind_runtime import gateway_client

log = logging.getLogger(__name__)

_IN_A_PACKET: Final = 64
"""Spans of triggers in one request: it fits the pipe."""


def warm() -> None:
    """Import what `start` needs. Starts no thread."""
    import opentelemetry.exporter.otlp.proto.common.trace_encoder  # noqa: F401


def start(gateway: str, secret: str, *, agent: str) -> None:
    """From here on spans of this process go to the agent's gateway, with the attempt's own secret. Never raises: a
    task is not failed for its traces. What OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME and OTEL_TRACES_SAMPLER say wins."""
    _start(partial(gateway_client.leave_spans, gateway, secret), "tradewind-task", agent)


def start_through(pipe: socket.socket, *, agent: str) -> None:
    """The same for the process that runs triggers, which has no secret: each request goes into `pipe`, or is dropped where that
    is full. What is not of a task that the plane traces is not recorded."""

    def send(request: bytes) -> bool:
        try:
            return pipe.send(request) == len(request)
        except OSError:
            return False

    sampler = ParentBased(ALWAYS_OFF)
    _start(send, "tradewind-triggerer", agent, sampler=sampler, max_export_batch_size=_IN_A_PACKET)


def _start(
    send: Callable[[bytes], bool], service: str, agent: str, *, sampler: Sampler | None = None, **batches: Any
) -> None:
    try:
        named = {"service.name": service, "tradewind.agent.name": agent}
        resource = Resource.create(named).merge(OTELResourceDetector().detect())
        provider = TracerProvider(sampler=sampler, resource=resource)
        provider.add_span_processor(BatchSpanProcessor(_ToAgent(send), **batches))
        trace.set_tracer_provider(provider)
    except Exception:
        log.warning("%s sends no traces", service, exc_info=True, extra={"action": "task_not_traced"})


class _ToAgent(SpanExporter):
    """Leaves spans with the agent. One that cannot be left is dropped."""

    def __init__(self, send: Callable[[bytes], bool]) -> None:
        self._send = send

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        taken = self._send(encode_spans(spans).SerializeToString())
        return SpanExportResult.SUCCESS if taken else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing is kept open."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept back."""
        return True
