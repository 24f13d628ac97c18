"""A new connection to the plane, through a proxy when there is one."""

from __future__ import annotations

import asyncio
import ssl

from tradewind_agent.kits import aiotime
from tradewind_agent.plane import retry
from tradewind_agent.plane.connection import Connection
from tradewind_agent.plane.proxy import Tunnel
from tradewind_agent.plane.transport import CONNECT_LIMIT


async def dial(
    url: str, host: str, port: int, *, tls: ssl.SSLContext | None, tunnel: Tunnel | None, timeout: float
) -> Connection:
    """Connected, and TLS spoken with `host` where `tls` is given. Raises PlaneUnreachable: nothing was asked yet.

    `timeout` is how long the proxy may take to open the way, in seconds.
    """
    to = (host, port) if tunnel is None else (tunnel.host, tunnel.port)
    connection: Connection | None = None
    try:
        connection = await _connected(*to)
        if tunnel is not None:
            await _through(
                connection, url, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", tunnel, timeout
            )
        if tls is not None:
            await _secured(connection, tls, host)
    except BaseException as error:
        if connection is not None:
            connection.abort()
        if isinstance(error, OSError | asyncio.TimeoutError):
            raise retry.not_connected(error, url=url) from error
        raise
    return connection


async def _connected(host: str, port: int) -> Connection:
    made = asyncio.get_running_loop().create_connection(Connection, host, port, happy_eyeballs_delay=0.25)
    _, connection = await aiotime.within(made, CONNECT_LIMIT)
    return connection


async def _through(connection: Connection, url: str, to: str, tunnel: Tunnel, timeout: float) -> None:
    lines = [f"CONNECT {to} HTTP/1.1", f"Host: {to}"]
    if tunnel.authorization is not None:
        lines.append(f"Proxy-Authorization: {tunnel.authorization}")
    request = "\r\n".join([*lines, "", ""]).encode("ascii")
    reading = await connection.exchange(request, bodiless=True, timeout=timeout)
    if not 200 <= reading.status <= 299:
        raise retry.proxy_refused(f"{reading.status} {reading.reason}".strip(), url=url)


async def _secured(connection: Connection, tls: ssl.SSLContext, host: str) -> None:
    wrapped = await asyncio.get_running_loop().start_tls(
        connection.transport, connection, tls, server_hostname=host, ssl_handshake_timeout=CONNECT_LIMIT
    )
    if wrapped is None:  # it was closed meanwhile
        raise ConnectionResetError("the other side closed the connection")
    connection.transport = wrapped
