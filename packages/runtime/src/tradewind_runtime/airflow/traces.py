"""OpenTelemetry in a task's process: the spans Airflow's task runner and the task itself make, left with the agent.

Airflow would send them to a collector from each task's process, which at its end waits for a collector that is not
there. The agent takes them at once, so that a task needs neither a way to the collector nor its credential.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import httpx
from opentelemetry import trace
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from tradewind_protocol.hosts import TRACES_PATH
from tradewind_runtime import gateway_client

log = logging.getLogger(__name__)

PATIENCE = 2.0
"""Seconds for the agent, on the same machine, to take spans."""


def warm() -> None:
    """Import what `start` needs. Starts no thread."""
    import opentelemetry.exporter.otlp.proto.common.trace_encoder  # noqa: F401


def start(gateway: str, secret: str, *, agent: str) -> None:
    """From here on spans of this process go to the agent's gateway, with the attempt's own secret. Never raises: a
    task is not failed for its traces. What OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say wins."""
    try:
        named = {"service.name": "tradewind-task", "tradewind.agent.name": agent}
        provider = TracerProvider(resource=Resource.create(named).merge(OTELResourceDetector().detect()))
        provider.add_span_processor(BatchSpanProcessor(_ToGateway(gateway, secret)))
        trace.set_tracer_provider(provider)
    except Exception:
        log.warning("This task has no trace", exc_info=True, extra={"action": "task_not_traced"})


class _ToGateway(SpanExporter):
    """Leaves spans with the agent. One that cannot be left is dropped."""

    def __init__(self, gateway: str, secret: str) -> None:
        self._gateway = gateway
        self._headers = {"authorization": f"Bearer {secret}", "content-type": "application/x-protobuf"}

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        content = encode_spans(spans).SerializeToString()
        try:
            # A client for each batch: most tasks leave one.
            with httpx.Client(
                base_url=gateway_client.BASE_URL,
                transport=gateway_client.transport(self._gateway, connections=1),
                timeout=PATIENCE,
                trust_env=False,
            ) as client:
                answer = client.post(TRACES_PATH, content=content, headers=self._headers)
        except httpx.HTTPError:
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS if answer.is_success else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Nothing is kept open."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is kept back."""
        return True
