"""Connections of the doctor's own to the plane's address, outside of any pool."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.kits import aiotime

_IP_MTU: Final = 14  # of Linux; the module `socket` does not name it


@dataclass(frozen=True)
class Wire:
    """One connection, with TLS if the plane's address says so."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    host: str

    async def ask(self, *, patience: float, padding: int = 0) -> bool:
        """Send a small request, with about `padding` bytes more in its headers. True when the first byte of an answer has come within
        `patience` seconds, False when nothing has. Raises OSError when the connection has ended."""
        lines = [f"GET / HTTP/1.1\r\nHost: {self.host}\r\n"]
        lines += [f"X-Padding-{number}: {'x' * 900}\r\n" for number in range(padding // 900)]
        self.writer.write("".join([*lines, "\r\n"]).encode())
        try:
            return bool(await aiotime.within(self._answer(), patience))
        except asyncio.TimeoutError:
            return False

    async def _answer(self) -> bytes:
        await self.writer.drain()
        head = await self.reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await self.reader.readexactly(int(line.partition(b":")[2]))
        return head

    async def ended(self, within: float) -> bool:
        """True when the other side ends the connection within that time, which no answer is expected in."""
        try:
            await aiotime.within(self.reader.read(1), within)
        except asyncio.TimeoutError:
            return False
        except OSError:
            return True
        return True

    def path_mtu(self) -> int | None:
        """The largest packet that the kernel sends to the plane's address, as far as it knows."""
        sock = self.writer.get_extra_info("socket")
        try:
            return int(sock.getsockopt(socket.IPPROTO_IP, _IP_MTU))
        except OSError:
            return None


@asynccontextmanager
async def connected(
    examination: Examination, *, patience: float, segment: int | None = None
) -> AsyncIterator[Wire]:
    """A new connection. `segment`: the most bytes of one packet, in both directions.

    Raises OSError or asyncio.TimeoutError when it does not come about."""
    parts = urlsplit(examination.settings.plane_url)
    port = parts.port or (443 if examination.https else 80)
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(examination.target, port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        if segment is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        await aiotime.within(loop.sock_connect(sock, address), patience)
        name = parts.hostname if examination.https else None
        opening = asyncio.open_connection(sock=sock, ssl=examination.tls, server_hostname=name)
        reader, writer = await aiotime.within(opening, patience)
    except BaseException:
        sock.close()
        raise
    try:
        yield Wire(reader, writer, parts.netloc)
    finally:
        writer.transport.abort()
