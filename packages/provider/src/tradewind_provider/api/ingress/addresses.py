"""From where requests come, and from where agents may connect: the first thing asked of each request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_protocol import paths, versions
from tradewind_protocol.errors import Code, Refused
from tradewind_provider import settings
from tradewind_provider.api import problems
from tradewind_provider.api.auth.refusal_events import RefusalEvents
from tradewind_provider.api.ingress.refused_tries import RefusedTries
from tradewind_provider.api.refusals import REFUSALS, Seen
from tradewind_provider.domain.addresses import UNREADABLE, AddressGate
from tradewind_provider.services import client_address

log = logging.getLogger(__name__)

ROOT: Final = paths.PREFIX.rsplit("/", 1)[0]
_READY: Final = paths.PREFIX + "/readyz"

LOOK_EVERY: Final = 2.0
"""Seconds. With what the gate knows being as old again, a change of the list ends held requests within five."""


@dataclass(eq=False)
class _Held:
    """An admitted request that has no answer yet."""

    source: str
    endpoint: str
    scope: Scope
    receive: Receive
    send: Send
    answered: bool = False  # its answer has begun, from here or from the application
    turned_away: bool = False  # the answer is ours


class AddressCheck:
    """ASGI middleware around the whole API server: finds where a request comes from, and refuses agents from elsewhere
    than the Deployment's allowed addresses. Requests that are not an agent's only learn their address; so does a probe of
    readiness, which comes from a load balancer or a node and says nothing of the Deployment.

    A request that was admitted and is held is asked again every LOOK_EVERY seconds, and when its answer is there, so that
    a change of the list holds for connections that were open before it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        gate: Callable[[], Awaitable[AddressGate]],
        refusal_events: RefusalEvents,
        refused_tries: RefusedTries | None = None,
        proxies: Callable[[], AddressGate] = lambda: settings.current().gate,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._app = app
        self._gate = gate
        self._refusal_events = refusal_events
        self._refused_tries = refused_tries
        self._proxies = proxies
        self._look_every = look_every
        self._held: dict[int, _Held] = {}
        self._looking: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        proxies = self._proxies()
        source, endpoint = source_of(scope, proxies), endpoint_of(scope, proxies)
        address_token = client_address.ADDRESS.set(source)
        endpoint_token = client_address.ENDPOINT.set(endpoint)
        try:
            if is_an_agents(scope) and not _is_probe(scope):
                await self._counted(scope, receive, send, source, endpoint)
            else:
                await self._app(scope, receive, send)
        finally:
            client_address.ENDPOINT.reset(endpoint_token)
            client_address.ADDRESS.reset(address_token)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, source: str, endpoint: str) -> None:
        """As `_agents`; the refusals of the request are counted by where it came from."""
        found: list[Seen] = []
        token = REFUSALS.set(found)
        try:
            await self._agents(scope, receive, send, source, endpoint)
        finally:
            REFUSALS.reset(token)
            if found and self._refused_tries is not None:
                version = Headers(scope=scope).get(versions.HEADER, "")
                path = get_route_path(scope)
                self._refused_tries.note(
                    found[-1], source=source, endpoint=endpoint, path=path, version=version
                )

    async def _agents(self, scope: Scope, receive: Receive, send: Send, source: str, endpoint: str) -> None:
        if (refused := await self._refused(source, endpoint)) is not None:
            await problems.answer(refused)(scope, receive, send)
            return
        held = _Held(source, endpoint, scope, receive, send)

        async def judged(message: Message) -> None:
            if message["type"] == "http.response.start" and not held.answered:
                refused = await self._refused(source, endpoint)
                if held.answered:  # turned away in that moment
                    return
                held.answered = True
                if refused is not None:
                    held.turned_away = True
                    await problems.answer(refused)(scope, receive, send)
            if not held.turned_away:
                await send(message)

        self._held[id(held)] = held
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="allowed addresses of held requests")
        try:
            await self._app(scope, receive, judged)
        finally:
            del self._held[id(held)]

    async def _look(self) -> None:
        """Turn away who is held and not admitted any more, for as long as anybody is held. The answer is sent at once;
        what the application says later goes nowhere."""
        judged: AddressGate | None = None
        while True:
            await asyncio.sleep(self._look_every)
            if not self._held:
                return
            try:
                gate = await self._gate()
            except Refused:
                continue
            if gate == judged:
                continue
            judged = gate
            for held in [one for one in self._held.values() if not gate.admits(one.source, one.endpoint)]:
                if (
                    not held.answered
                    and (refused := await self._refused(held.source, held.endpoint)) is not None
                ):
                    if held.answered:
                        continue
                    held.answered = held.turned_away = True
                    if self._refused_tries is not None:  # this task is not the request's
                        self._refused_tries.note(
                            Seen(refused.refusal),
                            source=held.source,
                            endpoint=held.endpoint,
                            path=get_route_path(held.scope),
                        )
                    try:
                        await problems.answer(refused)(held.scope, held.receive, held.send)
                    except Exception as error:  # the client has hung up, in one of several ways
                        log.debug(
                            "A held request could not be refused after its address was taken off the list: %s",
                            type(error).__name__,
                            extra={"action": "held_request_gone"},
                        )

    async def _refused(self, source: str, endpoint: str) -> Refused | None:
        """Why a request that came this way is not let in; None when it is."""
        try:
            gate = await self._gate()
        except Refused as unknown:
            return unknown
        if gate.admits(source, endpoint):
            return None
        refused = _refusal(gate, source or "an unknown address", endpoint)
        await self._refusal_events.note(refused, source=f"{source} by {endpoint}" if endpoint else source)
        return refused


def _refusal(gate: AddressGate, source: str, endpoint: str) -> Refused:
    if endpoint == UNREADABLE:
        message = f"the private endpoint of this request is not readable (from {source})"
        remedy = f"have the gateway set one well-formed {paths.ENDPOINT_HEADER}, and start the API server without --proxy-headers"
    elif endpoint:
        message = (
            f"agents may not connect to this Deployment by the private endpoint {endpoint} (from {source})"
        )
        remedy = f"add it to the Deployment's allowed private endpoints (`tradewind private-endpoints add {endpoint}`)"
    elif gate.private_only:
        message = (
            "agents may connect to this Deployment by private endpoints only, and this request came the public way "
            f"(from {source})"
        )
        remedy = (
            "let the plane's name lead to your private endpoint (`tradewind-agent doctor --expect-private`), or open the "
            "public way (`tradewind private-endpoints only off`)"
        )
    else:
        message = f"agents may not connect to this Deployment from {source}"
        remedy = (
            "add the address to the Deployment's allowed addresses (`tradewind allowed-ips add`); when it is a "
            "proxy's, name the proxy in [tradewind] trusted_proxies"
        )
    return Refused(Code.ADDRESS_NOT_ALLOWED, message, remedy=remedy)


def source_of(scope: Scope, gate: AddressGate) -> str:
    """The address a request comes from, by the word of trusted proxies only."""
    peer, rewritten = _peer(scope)
    return gate.source_of(peer, _forwarded(scope), rewritten=rewritten)


def endpoint_of(scope: Scope, gate: AddressGate) -> str:
    """The private endpoint a request came by, by the word of gateways only; empty: the public way."""
    if not gate.gateways:
        return ""
    peer, rewritten = _peer(scope)
    return gate.endpoint_of(peer, Headers(scope=scope).getlist(paths.ENDPOINT_HEADER), rewritten=rewritten)


def _peer(scope: Scope) -> tuple[str, bool]:
    """The address of the connection, and whether the web server has put another one in its place: one told to trust proxy
    headers leaves no port. What it took from them may be the client's own word."""
    peer, port = scope.get("client") or ("", 0)
    return peer, port == 0 and bool(_forwarded(scope))


def _forwarded(scope: Scope) -> list[str]:
    return [one for line in Headers(scope=scope).getlist("x-forwarded-for") for one in line.split(",")]


def is_an_agents(scope: Scope) -> bool:
    """Whether an HTTP request is for the Remote Execution API or its proxy."""
    path = get_route_path(scope)
    return path == ROOT or path.startswith(ROOT + "/")


def _is_probe(scope: Scope) -> bool:
    return get_route_path(scope) == _READY and scope["method"] in ("GET", "HEAD")
