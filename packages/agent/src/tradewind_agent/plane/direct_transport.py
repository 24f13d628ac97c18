"""The wire as nearly every agent has it: a pool of our own connections, straight or through a proxy's tunnel."""

from __future__ import annotations

import asyncio
import re
import ssl
import zlib
from collections import deque
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.http.responses import ReceivedResponse
from tradewind_agent.kits import aiotime
from tradewind_agent.plane import retry
from tradewind_agent.plane.connection import Connection
from tradewind_agent.plane.dialing import dial
from tradewind_agent.plane.proxy import Tunnel
from tradewind_agent.plane.transport import KEPT_FOR, ResponseTooLarge

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_VISIBLE: Final = "".join(map(chr, range(0x21, 0x7F))).replace("#", "")
_AS_IT_IS: Final = re.compile(f"[{re.escape(_VISIBLE)}]*")


class DirectTransport:
    """See `wire.Wire`."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        tls: ssl.SSLContext | None,
        tunnel: Tunnel | None,
        most: int,
        kept: int,
    ) -> None:
        parts = urlsplit(base_url)
        self._base_url, self._path = base_url, parts.path
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._tls = tls
        self._tunnel = tunnel
        self._always = {
            "host": parts.netloc.rpartition("@")[2],
            "accept": "*/*",
            "accept-encoding": "gzip, deflate",
            "connection": "keep-alive",
            **{name.lower(): value for name, value in headers.items()},
        }
        self._room = asyncio.Semaphore(most)
        self._kept = kept
        self._idle: deque[Connection] = deque()  # the one used last is last, and is used again first
        self._open: set[Connection] = set()
        self._ended = False

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, timeout: float
    ) -> ReceivedResponse:
        request = self._written(method, path, headers, body)
        await self._enter(timeout)
        try:
            connection = self._from_before() or await self._dialled(timeout)
            try:
                reading = await connection.exchange(request, bodiless=method == "HEAD", timeout=timeout)
            except asyncio.TimeoutError as error:
                raise retry.late(self._base_url) from error
            except OSError as error:
                raise retry.broke(error, url=self._base_url) from error
            finally:
                self._put_back(connection)
        finally:
            self._room.release()
        answered = reading.headers
        try:
            content = reading.content(answered)
        except (zlib.error, ResponseTooLarge) as error:
            raise retry.broke(error, url=self._base_url) from error
        return ReceivedResponse(self._base_url + path, reading.status, answered.without_framing(), content)

    async def aclose(self) -> None:
        self._ended = True
        self._idle.clear()
        for each in [*self._open]:
            each.abort()
            await each.closed()
        self._open.clear()

    def _written(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        if not _AS_IT_IS.fullmatch(path):
            path = quote(path, safe=_VISIBLE)
        said = {**self._always, **{name.lower(): value for name, value in headers.items()}}
        if body or method in _WITH_BODY:
            said["content-length"] = str(len(body))
        head = "\n".join([f"{method} {self._path}{path} HTTP/1.1", *[f"{k}: {v}" for k, v in said.items()]])
        if "\r" in head or head.count("\n") != len(said):
            raise PlaneUnreachable("a header has more than one line", may_have_arrived=False)
        return head.replace("\n", "\r\n").encode("latin-1") + b"\r\n\r\n" + body

    # ---- the pool

    async def _enter(self, timeout: float) -> None:
        if not self._room.locked():
            await self._room.acquire()
            return
        try:
            await aiotime.within(self._room.acquire(), timeout)
        except asyncio.TimeoutError as error:
            raise retry.crowded(self._base_url) from error

    def _from_before(self) -> Connection | None:
        old = asyncio.get_running_loop().time() - KEPT_FOR
        while self._idle and self._idle[0].idle_since < old:
            self._drop(self._idle.popleft())
        while self._idle:
            connection = self._idle.pop()
            if connection.in_step and connection.silent:
                return connection
            self._drop(connection)
        return None

    async def _dialled(self, timeout: float) -> Connection:
        if self._secure and self._tls is None:
            self._tls = ssl.create_default_context()
        connection = await dial(
            self._base_url,
            self._host,
            self._port,
            tls=self._tls if self._secure else None,
            tunnel=self._tunnel,
            timeout=timeout,
        )
        self._open.add(connection)
        return connection

    def _put_back(self, connection: Connection) -> None:
        if self._ended or not connection.in_step:
            self._drop(connection)
            return
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)
        if len(self._idle) > self._kept:
            self._drop(self._idle.popleft())

    def _drop(self, connection: Connection) -> None:
        connection.abort()
        self._open.discard(connection)
