"""A log platform that takes OTLP over HTTP: keeps each log record with its attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from support.http_sink import HttpSink


class OtlpLogs(HttpSink):
    """Serves `POST /v1/logs` on a free loopback port inside `with`. While `away` it takes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[dict[str, Any]] = []
        self.away = False

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        if path != "/v1/logs":
            return 404
        if self.away:
            return 503
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    found = {pair.key: plain(pair.value) for pair in record.attributes}
                    about = {"time": record.time_unix_nano, "severity": record.severity_text}
                    self.records.append({**found, "record": about})
        return 200

    def lines(self) -> dict[tuple[str, int], dict[str, Any]]:
        """Each line once, by its file and offset there."""
        return {(each["log.file.path"], each["log.file.record_offset"]): each for each in list(self.records)}


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None
