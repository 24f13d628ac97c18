"""The wire over httpx: for the ways `direct` does not go (proxies over TLS or SOCKS, plain http through a proxy), and
for transports of tests."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from tradewind_agent.answers import Headers, Received
from tradewind_agent.plane import retry
from tradewind_agent.plane.wire import CONNECT_LIMIT, KEPT_FOR


class OverHttpx:
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
            transport=_Lent(transport) if transport is not None else None,
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
    ) -> Received:
        try:
            response = await self._client.request(
                method,
                path,
                content=body or None,
                headers=headers,
                timeout=httpx.Timeout(timeout, connect=CONNECT_LIMIT),
            )
        except httpx.HTTPError as error:
            raise retry.unreachable(error, url=self._base_url) from error
        told = Headers(response.headers.multi_items()).without_framing()
        return Received(str(response.url), response.status_code, told, response.content)

    async def aclose(self) -> None:
        await self._client.aclose()


class _Lent(httpx.AsyncBaseTransport):
    """A transport several clients use: it is not theirs to close."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._transport.handle_async_request(request)
