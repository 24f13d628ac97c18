"""An OpenTelemetry collector: takes OTLP over HTTP (protobuf) and keeps the spans."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from support.http_sink import HttpSink


@dataclass(frozen=True)
class Span:
    """One span, as it was told."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str  # empty: it is a root
    start: float
    end: float
    attributes: dict[str, Any] = field(default_factory=dict)


class Collector(HttpSink):
    """Serves on a free loopback port inside `with`."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[Span] = []
        self.requests: list[bytes] = []
        self.metrics: list[bytes] = []

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        if path == "/v1/traces":
            self._keep_spans(body)
        elif path == "/v1/metrics":
            self.metrics.append(body)
        else:
            return 404
        return 200

    def where(self, wanted: Callable[[Span], bool]) -> list[Span]:
        """Those of the spans, each once however often it was told."""
        return list({one.span_id: one for one in list(self.spans) if wanted(one)}.values())

    def _keep_spans(self, body: bytes) -> None:
        self.requests.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = str(_attributes(resource.resource.attributes).get("service.name", ""))
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        Span(
                            service=service,
                            name=span.name,
                            trace_id=span.trace_id.hex(),
                            span_id=span.span_id.hex(),
                            parent_id=span.parent_span_id.hex(),
                            start=span.start_time_unix_nano / 1e9,
                            end=span.end_time_unix_nano / 1e9,
                            attributes=_attributes(span.attributes),
                        )
                    )


def _attributes(pairs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        assert isinstance(pair, KeyValue)
        found[pair.key] = getattr(pair.value, str(pair.value.WhichOneof("value")), None)
    return found
