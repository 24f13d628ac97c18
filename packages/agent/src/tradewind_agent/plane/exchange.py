"""One request to the plane and its response: sent, noted for the ledger, and judged for whether a plane is there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.http.responses import Headers, PlaneResponse, ReceivedResponse, refusal_in
from tradewind_agent.plane import proxy as proxies
from tradewind_agent.plane import retry
from tradewind_agent.plane.direct_transport import DirectTransport
from tradewind_agent.plane.httpx_transport import HttpxTransport
from tradewind_agent.plane.reachability import Reachability
from tradewind_agent.plane.transport import Transport
from tradewind_protocol import paths, versions
from tradewind_protocol.errors import Code

_MOST = 200  # connections at once
_KEPT = 50  # of those, while they are idle
_JSON = Headers([("content-type", "application/json")])


@dataclass(frozen=True)
class SentRequest:
    """One request that left the agent, for the ledger. Never its content."""

    method: str
    path: str  # under the protocol's prefix
    request_bytes: int
    status: int  # 0 when there was no answer
    duration: float  # seconds
    carries: tuple[str, ...] = ()  # classes of content, as the data boundary names them


class Exchange:
    """Requests over one pool of connections. `transport` takes the place of the network, for tests."""

    def __init__(
        self,
        url: str,
        *,
        transport: httpx.AsyncBaseTransport | None,
        tls: ssl.SSLContext | None,
        proxy: str | None,
        timeout: float,
    ) -> None:
        self.reachability = Reachability()
        self.on_sent: Callable[[SentRequest], None] | None = None
        self.names_itself = False  # this plane puts its protocol version on responses
        self._url = url
        self._given = transport
        self._tls = tls
        self._proxy = proxy
        self._timeout = timeout
        self._shared = self._connect(_MOST, _KEPT)

    async def aclose(self) -> None:
        await self._shared.aclose()
        if self._given is not None:
            await self._given.aclose()

    def own_transport(self) -> Transport:
        """A connection of its own: it reaches whichever API server the load balancer chooses."""
        return self._connect(1, 1)

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        bearer: str,
        timeout: float | None = None,
        transport: Transport | None = None,
        carries: tuple[str, ...] = (),
    ) -> ReceivedResponse:
        """The response of the plane, whatever its status. Raises PlaneUnreachable when no plane gave one."""
        started = asyncio.get_running_loop().time()
        status = 0
        try:
            try:
                response = await (transport or self._shared).ask(
                    method,
                    path,
                    {**headers, "Authorization": f"Bearer {bearer}"},
                    body,
                    timeout=self._timeout if timeout is None else timeout,
                )
            except PlaneUnreachable as failure:
                self.reachability.failed(failure.message)
                raise
            status = response.status_code
            if (refused := retry.too_large_on_the_way(response, size=len(body))) is not None:
                return ReceivedResponse(response.url, 413, _JSON, refused.refusal.model_dump_json().encode())
            self._judge(response)
            return response
        finally:
            if self.on_sent is not None:
                duration = asyncio.get_running_loop().time() - started
                self.on_sent(
                    SentRequest(method, path.partition("?")[0], len(body), status, duration, carries)
                )

    def _judge(self, response: PlaneResponse) -> None:
        """Learn from an answer whether a plane is there. Raises PlaneUnreachable when something else answered."""
        try:
            retry.must_be_a_plane(response, names_itself=self.names_itself)
        except PlaneUnreachable as failure:
            self.reachability.failed(failure.message)
            raise
        refused = refusal_in(response)
        if refused is not None and refused.code is Code.UNAVAILABLE:
            self.reachability.failed(
                refused.refusal.message
            )  # it is there and cannot work: its database is away
        else:
            self.reachability.succeeded()

    def _connect(self, most: int, kept: int) -> Transport:
        base_url = self._url + paths.PREFIX
        headers = {versions.HEADER: str(versions.PROTOCOL), "User-Agent": "tradewind-agent"}
        proxy = proxies.of(self._url, self._proxy)
        tunnel = (
            proxies.Tunnel.through(proxy) if proxy is not None and base_url.startswith("https:") else None
        )
        if self._given is not None or (proxy is not None and tunnel is None):
            return HttpxTransport(
                base_url,
                headers=headers,
                tls=self._tls,
                proxy=self._proxy,
                transport=self._given,
                most=most,
                kept=kept,
            )
        return DirectTransport(base_url, headers=headers, tls=self._tls, tunnel=tunnel, most=most, kept=kept)
