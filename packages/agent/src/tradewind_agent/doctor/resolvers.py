"""What each DNS server says of a name: the operating system's answer does not tell which one gave it."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tradewind_agent.kits import aiotime

CONFIGURATION: Final = Path("/etc/resolv.conf")
_A, _AAAA, _IN = 1, 28, 1
_NO_SUCH_NAME = 3


@dataclass(frozen=True)
class Said:
    """One server's answer."""

    server: str
    addresses: tuple[str, ...] = ()
    fault: str = ""

    def __str__(self) -> str:
        return f"{self.server} says {', '.join(self.addresses) or self.fault or 'no address'}"


def configured(file: Path = CONFIGURATION) -> tuple[str, ...]:
    """The DNS servers that this machine asks."""
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except (OSError, ValueError):
        return ()
    return tuple(words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")


async def ask_each(servers: Sequence[str], name: str, *, patience: float = 2.0) -> list[Said]:
    """The answers of the servers, in their order."""
    return list(await asyncio.gather(*(ask(server, name, patience=patience) for server in servers)))


async def ask(server: str, name: str, *, patience: float = 2.0, port: int = 53) -> Said:
    """The IPv4 and IPv6 addresses that one server has for a name. What goes wrong is part of the answer."""
    found: list[str] = []
    fault = ""
    for kind in (_A, _AAAA):
        try:
            more, fault_here = await _query(server, name, kind, patience, port)
        except (OSError, ValueError, struct.error, IndexError, asyncio.TimeoutError) as error:
            silent = isinstance(error, asyncio.TimeoutError)
            return Said(server, tuple(found), "nothing in time" if silent else f"something else: {error}")
        found += more
        fault = fault or fault_here
    return Said(server, tuple(found), "" if found else fault)


async def _query(server: str, name: str, kind: int, patience: float, port: int) -> tuple[list[str], str]:
    number = secrets.randbelow(65536)
    asked = (
        struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + _encoded(name) + struct.pack("!HH", kind, _IN)
    )
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Answer(answered, number), remote_addr=(server.partition("%")[0], port)
    )
    try:
        transport.sendto(asked)
        return _read(await aiotime.within(answered, patience), kind)
    finally:
        transport.close()


class _Answer(asyncio.DatagramProtocol):
    def __init__(self, answered: asyncio.Future[bytes], number: int) -> None:
        self._answered, self._number = answered, number

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[:2] == struct.pack("!H", self._number) and not self._answered.done():
            self._answered.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answered.done():
            self._answered.set_exception(exc)


def _encoded(name: str) -> bytes:
    labels = [label.encode("idna") for label in name.rstrip(".").split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _read(message: bytes, kind: int) -> tuple[list[str], str]:
    """The addresses of an answer, and what is wrong with it. Aliases are followed by the server."""
    _, flags, questions, answers, _, _ = struct.unpack_from("!HHHHHH", message)
    if code := flags & 15:
        return [], "no such name" if code == _NO_SUCH_NAME else f"error {code}"
    at = 12
    for _ in range(questions):
        at = _after_name(message, at) + 4
    found = []
    for _ in range(answers):
        at = _after_name(message, at)
        kind_here, _, _, length = struct.unpack_from("!HHIH", message, at)
        at += 10
        if kind_here == kind:
            found.append(str(ipaddress.ip_address(message[at : at + length])))
        at += length
    return found, ""


def _after_name(message: bytes, at: int) -> int:
    while length := message[at]:
        if length >= 192:  # the rest is elsewhere in the message
            return at + 2
        at += 1 + length
    return at + 1
