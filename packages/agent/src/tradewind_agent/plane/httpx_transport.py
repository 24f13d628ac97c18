"""The wire over httpx: for the ways `direct` does not go (proxies over TLS or SOCKS, plain http through a proxy), and
for transports of tests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from tradewind_agent.http.responses import Headers, ReceivedResponse
from tradewind_agent.plane import retry
from tradewind_agent.plane.transport import (
    CONNECT_LIMIT,
    KEPT_FOR,
    LARGEST_ANSWER,
    LEAST_PACE,
    ResponseTooLarge,
)


class HttpxTransport:
    """See `wire.Wire`."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str],
        tls: ssl.SSLContext | None,
        proxy: str | None,
        transport: httpx.AsyncBaseTransport | None,
        most: int,
        kept: int,
    ) -> None:
        self._base_url = base_url
        self._client = httpx.AsyncClient(
            base_url=base_url,
            transport=_SharedTransport(transport) if transport is not None else None,
            verify=tls if tls is not None else base_url.startswith("https:"),
            proxy=proxy,
            limits=httpx.Limits(
                max_connections=most, max_keepalive_connections=kept, keepalive_expiry=KEPT_FOR
            ),
            headers=headers,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, timeout: float
    ) -> ReceivedResponse:
        try:
            async with self._client.stream(
                method,
                path,
                content=body or None,
                headers=headers,
                timeout=httpx.Timeout(timeout, connect=CONNECT_LIMIT),
            ) as response:
                content = await _read(response, latest=asyncio.get_running_loop().time() + 2 * timeout)
        except (httpx.HTTPError, ResponseTooLarge) as error:
            raise retry.unreachable(error, url=self._base_url) from error
        answered = Headers(response.headers.multi_items()).without_framing()
        return ReceivedResponse(str(response.url), response.status_code, answered, content)

    async def aclose(self) -> None:
        await self._client.aclose()


async def _read(response: httpx.Response, *, latest: float) -> bytes:
    """The body, decompressed, which has until `latest` of the loop's time and what its size takes at LEAST_PACE."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > LARGEST_ANSWER:
            raise ResponseTooLarge
        if asyncio.get_running_loop().time() > latest + size / LEAST_PACE:
            raise httpx.ReadTimeout("the answer comes too slowly")
        parts.append(part)
    return b"".join(parts)


class _SharedTransport(httpx.AsyncBaseTransport):
    """A transport several clients use: it is not theirs to close."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._transport.handle_async_request(request)
