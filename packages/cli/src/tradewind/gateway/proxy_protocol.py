"""The PROXY protocol, version 2: what a cloud's load balancer says of a connection, and how Caddy is told of it."""

from __future__ import annotations

import ipaddress
import re
import struct
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = bytes.fromhex("0d0a0d0a000d0a515549540a")
HEAD: Final = 16
"""Bytes before the part whose length they tell."""

MOST: Final = 2048
"""Bytes that follow. A load balancer sends about a hundred."""

UNKNOWN: Final = "unknown"
"""The endpoint of a connection whose header names none. No list of a Deployment can have it."""

_LOCAL, _PROXY = 0x20, 0x21
_IPV4, _IPV6, _UNIX_STREAM = 0x11, 0x21, 0x31
_CRC32C, _NOTHING = 0x03, 0x04
_AWS, _AZURE, _GCP = 0xEA, 0xEE, 0xE0
_VPC_ENDPOINT: Final = re.compile(rb"vpce-[A-Za-z0-9-]{1,64}")


class Malformed(ValueError):
    """What was sent is not a header of the PROXY protocol, version 2."""


@dataclass(frozen=True)
class Origin:
    """Where a connection comes from, as the load balancer says."""

    source: str  # address:port; empty for the load balancer's own connections
    endpoint: str = UNKNOWN  # as a Deployment's list of private endpoints has it


def length_of(head: bytes) -> int:
    """How many bytes follow the first HEAD ones. Raises Malformed."""
    if not head.startswith(SIGNATURE) or len(head) != HEAD:
        raise Malformed("the PROXY protocol's signature is missing")
    length = int.from_bytes(head[14:16], "big")
    if length > MOST:
        raise Malformed(f"a header of {length} bytes")
    return length


def origin(head: bytes, rest: bytes) -> Origin:
    """Read a whole header. Raises Malformed."""
    command, family = head[12], head[13]
    if command == _LOCAL:
        return Origin("")
    if command != _PROXY:
        raise Malformed(f"version and command {command:#04x}")
    size = {_IPV4: 4, _IPV6: 16}.get(family)
    if size is None:
        raise Malformed(f"address family {family:#04x}")
    if len(rest) < 2 * size + 4:
        raise Malformed("the addresses are cut off")
    address = ipaddress.ip_address(rest[:size])
    port = int.from_bytes(rest[2 * size : 2 * size + 2], "big")
    values = _values(rest[2 * size + 4 :])
    if (sent := values.get(_CRC32C)) is not None and not _sound(head + rest, sent):
        raise Malformed("the checksum is wrong")
    source = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    return Origin(source, _endpoint(values))


def for_caddy(found: Origin) -> bytes:
    """A header that Caddy's own reader understands: source and endpoint as the two ends of a Unix connection.

    Caddy hands on no type-length-values. An end of a Unix connection is a text of 108 bytes, and the text of ours is what
    `{http.request.remote}` and `{http.request.local}` give in its document.
    """
    ends = [end.encode("ascii").ljust(108, b"\0") for end in (found.source or "127.0.0.1:0", found.endpoint)]
    assert all(len(end) == 108 for end in ends)
    return SIGNATURE + struct.pack("!BBH", _PROXY, _UNIX_STREAM, 216) + b"".join(ends)


def _values(data: bytes) -> dict[int, bytes]:
    """By type; of a type that is there twice, the first."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if at + 3 > len(data):
            raise Malformed("a type-length-value is cut off")
        kind, length = struct.unpack_from("!BH", data, at)
        value = data[at + 3 : at + 3 + length]
        if len(value) != length:
            raise Malformed("a type-length-value is cut off")
        if kind != _NOTHING:
            found.setdefault(kind, value)
        at += 3 + length
    return found


def _endpoint(values: dict[int, bytes]) -> str:
    aws, azure, gcp = values.get(_AWS, b""), values.get(_AZURE, b""), values.get(_GCP, b"")
    if aws[:1] == b"\x01" and _VPC_ENDPOINT.fullmatch(aws[1:]):
        return f"aws:{aws[1:].decode()}"
    if azure[:1] == b"\x01" and len(azure) == 5:
        return f"azure:{int.from_bytes(azure[1:], 'little')}"
    if len(gcp) == 8:
        return f"gcp:{int.from_bytes(gcp, 'big')}"
    return UNKNOWN


def _sound(whole: bytes, sent: bytes) -> bool:
    """Whether the checksum is that of the header with zeros in its place."""
    at = whole.find(bytes([_CRC32C, 0, 4]) + sent, HEAD)
    return (
        len(sent) == 4
        and at >= 0
        and _crc32c(whole[: at + 3] + bytes(4) + whole[at + 7 :]) == int.from_bytes(sent, "big")
    )


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
