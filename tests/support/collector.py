"""An OpenTelemetry collector: takes OTLP over HTTP (protobuf) and keeps the spans."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


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


class Collector:
    """Serves on a free loopback port inside `with`."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.requests: list[bytes] = []
        self.metrics: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                known = self.path in ("/v1/traces", "/v1/metrics")
                if self.path == "/v1/traces":
                    collector._take(body)
                elif known:
                    collector.metrics.append(body)
                self.send_response(200 if known else 404)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def where(self, wanted: Callable[[Span], bool]) -> list[Span]:
        """Those of the spans, each once however often it was told."""
        return list({one.span_id: one for one in list(self.spans) if wanted(one)}.values())

    def _take(self, body: bytes) -> None:
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
