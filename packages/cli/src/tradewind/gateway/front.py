"""Stands before Caddy on the private way: reads the load balancer's header, and passes the bytes behind it on unread."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tradewind.gateway import proxy_protocol

log = logging.getLogger(__name__)

PATIENCE: Final = 5.0
"""Seconds for the header to be there, and for Caddy to take the connection."""

_PIECE: Final = 65536


class Front:
    """Takes connections from the load balancer only, and each only with a header. TLS is Caddy's: neither a certificate's key
    nor a request is ever in this process.

    Caddy listens on a Unix socket that only this user can open, so what it is told of an endpoint comes from here.
    """

    def __init__(self, balancers: Sequence[str], caddy: Path, *, patience: float = PATIENCE) -> None:
        self._balancers = tuple(ipaddress.ip_network(one) for one in balancers)
        self._caddy = caddy
        self._patience = patience
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, listen: str) -> asyncio.Server:
        """Listen at [ADDRESS]:PORT. Raises OSError."""
        host, _, port = listen.rpartition(":")
        return await asyncio.start_server(self._taken, host.strip("[]") or None, int(port), backlog=1024)

    async def close(self) -> None:
        """Cut every connection."""
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = str(writer.get_extra_info("peername")[0])
        there: asyncio.StreamWriter | None = None
        try:
            if not self._is_balancer(peer):
                _note("the peer is no load balancer of [private] balancers", peer)
                return
            _keep_alive(writer)
            found = await asyncio.wait_for(self._origin(reader), self._patience)
            opening = asyncio.open_unix_connection(str(self._caddy))
            from_caddy, to_caddy = await asyncio.wait_for(opening, self._patience)
            there = to_caddy
            to_caddy.write(proxy_protocol.for_caddy(found))
            await asyncio.gather(_pass(reader, to_caddy), _pass(from_caddy, writer))
        except proxy_protocol.Malformed as error:
            _note(str(error), peer)
        except (asyncio.TimeoutError, asyncio.IncompleteReadError):
            _note("no whole header came in time", peer)
        except OSError as error:
            log.debug("a connection of %s ended: %s", peer, error)
        finally:
            for one in (writer, there):
                if one is not None:
                    one.transport.abort()

    async def _origin(self, reader: asyncio.StreamReader) -> proxy_protocol.Origin:
        head = await reader.readexactly(proxy_protocol.HEAD)
        return proxy_protocol.origin(head, await reader.readexactly(proxy_protocol.length_of(head)))

    def _is_balancer(self, peer: str) -> bool:
        address = ipaddress.ip_address(peer.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in one for one in self._balancers if one.version == address.version)


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while piece := await source.read(_PIECE):
        sink.write(piece)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """A connection whose other side is gone without a word ends within some minutes."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 20), ("TCP_KEEPCNT", 4)):
        if (option := getattr(socket, name, None)) is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _note(why: str, peer: str) -> None:
    log.warning(
        "refused a connection of %s: %s", peer, why, extra={"action": "connection_refused", "peer": peer}
    )
