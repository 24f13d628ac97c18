"""From where requests come, and from where agents may connect: the first thing asked of each request."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_protocol import paths
from tradewind_protocol.errors import Code, Refused
from tradewind_provider import settings
from tradewind_provider.api import problems
from tradewind_provider.api.gates import GATE
from tradewind_provider.api.refusals import REFUSALS
from tradewind_provider.domain.addresses import Gate
from tradewind_provider.services import whence

log = logging.getLogger(__name__)

ROOT: Final = paths.PREFIX.rsplit("/", 1)[0]


class AddressCheck:
    """ASGI middleware around the whole API server: finds where a request comes from, and refuses agents from elsewhere
    than the Deployment's allowed addresses. Requests that are not an agent's only learn their address.

    A request that was admitted and held is asked again when its answer is there, so that a change of the list holds
    for connections that were open before it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        gate: Callable[[], Awaitable[Gate]] = GATE,
        proxies: Callable[[], Gate] = lambda: settings.current().gate,
    ) -> None:
        self._app = app
        self._gate = gate
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        source = source_of(scope, self._proxies())
        token = whence.ADDRESS.set(source)
        try:
            if _is_an_agents(scope):
                await self._agents(scope, receive, send, source)
            else:
                await self._app(scope, receive, send)
        finally:
            whence.ADDRESS.reset(token)

    async def _agents(self, scope: Scope, receive: Receive, send: Send, source: str) -> None:
        turned_away = False

        async def judged(message: Message) -> None:
            nonlocal turned_away
            if message["type"] == "http.response.start" and (refused := await self._refused(source)):
                turned_away = True
                await problems.answer(refused)(scope, receive, send)
            elif not turned_away:
                await send(message)

        if (refused := await self._refused(source)) is not None:
            await problems.answer(refused)(scope, receive, send)
            return
        await self._app(scope, receive, judged)

    async def _refused(self, source: str) -> Refused | None:
        """Why this address is not let in; None when it is."""
        try:
            gate = await self._gate()
        except Refused as unknown:
            return unknown
        if gate.admits(source):
            return None
        refused = Refused(
            Code.ADDRESS_NOT_ALLOWED,
            f"agents may not connect to this Deployment from {source or 'an unknown address'}",
            remedy="add the address to the Deployment's allowed addresses (`tradewind allowed-ips add`); when it is a "
            "proxy's, name the proxy in [tradewind] trusted_proxies",
        )
        await REFUSALS.note(refused, source=source)
        return refused


def source_of(scope: Scope, gate: Gate) -> str:
    """The address a request comes from, by the word of trusted proxies only."""
    peer, port = scope.get("client") or ("", 0)
    forwarded = [one for line in Headers(scope=scope).getlist("x-forwarded-for") for one in line.split(",")]
    # a web server told to trust proxy headers leaves no port; what it took from them may be anybody's word
    return gate.source_of(peer, forwarded, rewritten=port == 0 and bool(forwarded))


def _is_an_agents(scope: Scope) -> bool:
    path = get_route_path(scope)
    return path == ROOT or path.startswith(ROOT + "/")
