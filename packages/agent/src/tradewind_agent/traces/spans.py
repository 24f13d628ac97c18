"""A span and its place in a trace, and both as OTLP has them on the wire."""

from __future__ import annotations

import re
import secrets
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

SCOPE: Final = "tradewind_agent"
CONTENT_TYPE: Final = "application/x-protobuf"

Value = str | int | bool
Attributes = Mapping[str, Value]

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED: Final = 0x01
_INTERNAL: Final = 1  # SpanKind
_OK, _ERROR = 1, 2  # Status.StatusCode


@dataclass(frozen=True)
class SpanContext:
    """Where a span is: its trace and its own id, in hexadecimal as W3C Trace Context writes them. Always sampled."""

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-01"

    def below(self) -> SpanContext:
        """A new place in the same trace."""
        return replace(self, span_id=secrets.token_hex(8))


@dataclass(frozen=True)
class Span:
    """Something that took time."""

    name: str
    place: SpanContext
    parent: SpanContext
    start: float  # seconds since the epoch
    end: float
    attributes: Attributes = field(default_factory=dict)
    failed: str = ""  # what went wrong, in a word or two; empty when nothing did


def place_of(traceparent: str) -> SpanContext | None:
    """What a `traceparent` names; None when it is none, or when its trace is not recorded."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or not int(found[3], 16) & _SAMPLED:
        return None
    if not int(found[1], 16) or not int(found[2], 16):
        return None
    return SpanContext(found[1], found[2])


def request(spans: Iterable[Span], resource: Attributes) -> bytes:
    """An ExportTraceServiceRequest with those spans of one resource."""
    scope_spans = _part(1, _text(1, SCOPE)) + b"".join(_part(2, _span(each)) for each in spans)
    resource_spans = _part(1, _attributes(1, resource)) + _part(2, scope_spans)
    return _part(1, resource_spans)


def _span(span: Span) -> bytes:
    status = _text(2, span.failed) + _number(3, _ERROR) if span.failed else _number(3, _OK)
    return b"".join(
        (
            _part(1, bytes.fromhex(span.place.trace_id)),
            _part(2, bytes.fromhex(span.place.span_id)),
            _part(4, bytes.fromhex(span.parent.span_id)),
            _text(5, span.name),
            _number(6, _INTERNAL),
            _moment(7, span.start),
            _moment(8, max(span.start, span.end)),
            _attributes(9, span.attributes),
            _part(15, status),
        )
    )


def _attributes(field_number: int, attributes: Attributes) -> bytes:
    return b"".join(
        _part(field_number, _text(1, key) + _part(2, _value(value))) for key, value in attributes.items()
    )


def _value(value: Value) -> bytes:
    if isinstance(value, bool):
        return _number(2, int(value))
    return _number(3, value) if isinstance(value, int) else _text(1, value)


# ---- protobuf's own rules: a key of field number and wire type, then the value


def _text(field_number: int, text: str) -> bytes:
    return _part(field_number, text.encode("utf-8", "replace"))


def _part(field_number: int, content: bytes) -> bytes:
    return _varint(field_number << 3 | 2) + _varint(len(content)) + content


def _number(field_number: int, value: int) -> bytes:
    return _varint(field_number << 3) + _varint(value)


def _moment(field_number: int, seconds: float) -> bytes:
    return _varint(field_number << 3 | 1) + struct.pack("<Q", max(0, int(seconds * 1e9)))


def _varint(value: int) -> bytes:
    value &= 0xFFFF_FFFF_FFFF_FFFF  # a negative number is its 64-bit complement
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
