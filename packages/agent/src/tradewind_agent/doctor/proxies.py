"""Is there a proxy on the way, and does it let through?"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.kits import aiotime
from tradewind_agent.plane import proxy as proxies
from tradewind_agent.plane.retry import place
from tradewind_protocol.checks import Result, failed, ok

CHECK = "proxy"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Asks the proxy for a tunnel to the plane, as the agent will."""
    setting = examination.settings.proxy
    proxy = proxies.of(
        examination.settings.plane_url, setting.get_secret_value() if setting is not None else None
    )
    if proxy is None:
        yield ok(CHECK, "none: the agent goes straight to the plane")
        return
    examination.proxied = place(proxy if "://" in proxy else f"http://{proxy}")
    if not examination.https:
        yield ok(CHECK, f"{examination.proxied} passes plain http on")
        return
    try:
        status = await aiotime.within(_tunnel(proxy, examination.settings.plane_url), examination.patience)
    except (OSError, asyncio.TimeoutError, ValueError) as error:
        examination.reachable = False
        cause = "no answer in time" if isinstance(error, asyncio.TimeoutError) else str(error)
        yield failed(
            CHECK,
            f"{examination.proxied} cannot be used: {cause}",
            "Check HTTPS_PROXY or the setting proxy; put the plane's name into NO_PROXY to go straight",
        )
        return
    if status == 200:
        yield ok(CHECK, f"{examination.proxied} opens a way to the plane")
    else:
        examination.reachable = False
        remedy = (
            "Put user and password into HTTPS_PROXY or the setting proxy: http://user:password@host:port"
            if status == 407
            else "Ask the administrator of the proxy to allow CONNECT to the plane's name and port"
        )
        yield failed(CHECK, f"{examination.proxied} answers {status} to CONNECT", remedy)


async def _tunnel(proxy: str, plane_url: str) -> int:
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    to = urlsplit(plane_url)
    target = f"{to.hostname}:{to.port or 443}"
    reader, writer = await asyncio.open_connection(
        via.hostname, via.port or (443 if via.scheme == "https" else 80), ssl=via.scheme == "https" or None
    )
    try:
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
        if via.username:
            pair = f"{unquote(via.username)}:{unquote(via.password or '')}".encode()
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        await writer.drain()
        answer = (await reader.readline()).split()
        if len(answer) < 2 or not answer[1].isdigit():
            raise ValueError("what answers is not an HTTP proxy")
        return int(answer[1])
    finally:
        writer.close()
