"""Host names that are for agents: nothing but what agents ask for is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Final

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind_protocol import paths, versions
from tradewind_protocol.errors import Code, Refusal
from tradewind_provider import settings
from tradewind_provider.api.ingress import addresses
from tradewind_provider.api.ingress.refused_tries import RefusedTries
from tradewind_provider.api.refusals import Seen
from tradewind_provider.domain.addresses import AddressGate

HEALTH: Final = "/healthz"
READY: Final = "/readyz"
NOT_FOUND: Final = "404 page not found"

_WELL_FORMED: Final = re.compile(r"(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]*)?")
"""`host` or `host:port`, in lower case (RFC 9110, section 7.2): no user, path or blank."""


class AgentHosts:
    """ASGI middleware around the whole API server. On the names of [tradewind] agent_hosts everything but the Remote
    Execution API answers 404 as plain text, the UI and Airflow's API included. To any client, /healthz says "ok", and /readyz
    what the Remote Execution API's own says: 503 while this server starts or stops, or its database is away.

    A request that a proxy passes on counts by either of its names, Host and X-Forwarded-Host: saying another one never
    opens anything. Where names are set aside for agents, a name that is not `host[:port]` counts as one of them: what a
    proxy makes of `user@agents.example.com` or `agents.example.com/` is not known here.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Callable[[], tuple[str, ...]] = lambda: settings.current().agent_hosts,
        refused_tries: RefusedTries | None = None,
        proxies: Callable[[], AddressGate] = lambda: settings.current().gate,
    ) -> None:
        self._app = app
        self._refused_tries = refused_tries
        self._proxies = proxies
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not self._is_for_agents(scope):
            await self._app(scope, receive, send)
            return
        path = get_route_path(scope)
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif path.startswith(paths.PREFIX + "/"):
            await self._app(scope, receive, send)
        elif path == HEALTH and scope["method"] in ("GET", "HEAD"):
            await PlainTextResponse("ok")(scope, receive, send)
        elif path == READY and scope["method"] in ("GET", "HEAD"):
            await self._app(_at(scope, paths.PREFIX + READY), receive, send)
        else:
            self._note(scope, path)
            await PlainTextResponse(NOT_FOUND, status_code=404)(scope, receive, send)

    def _note(self, scope: Scope, path: str) -> None:
        """A person who checks the way asks for /, an agent whose plane_url has a wrong path for something else."""
        if self._refused_tries is None:
            return
        gate = self._proxies()
        refusal = Refusal(
            error=Code.NOT_FOUND,
            message=f"{scope['method']} {path[:200]}: nothing of this Deployment is there",
        )
        self._refused_tries.note(
            Seen(refusal, no_such_path=True),
            source=addresses.source_of(scope, gate),
            endpoint=addresses.endpoint_of(scope, gate),
            path=path,
            version=Headers(scope=scope).get(versions.HEADER, ""),
        )

    def _is_for_agents(self, scope: Scope) -> bool:
        hosts = self._hosts()
        if not hosts:
            return False
        headers = Headers(scope=scope)
        stated = [
            one
            for name in ("host", "x-forwarded-host")
            for line in headers.getlist(name)
            for one in line.split(",")
        ]
        names = [one.strip().lower() for one in stated]
        return any(_is_odd(name) or any(fnmatchcase(_name(name), host) for host in hosts) for name in names)


def _at(scope: Scope, path: str) -> Scope:
    """The same request for another path of the application."""
    whole = str(scope.get("root_path", "")) + path
    return {**scope, "path": whole, "raw_path": whole.encode(), "method": "GET"}


def _is_odd(host: str) -> bool:
    """True for what is neither a name nor empty; HTTP/1.0 allows a request without any."""
    return host != "" and _WELL_FORMED.fullmatch(host) is None


def _name(host: str) -> str:
    """A well-formed Host header without port and final dot."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".")
