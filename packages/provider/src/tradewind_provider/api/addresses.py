"""From where agents may connect: the first thing asked of each of their requests."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind_protocol import paths
from tradewind_protocol.errors import Code, Refused
from tradewind_provider import settings
from tradewind_provider.api import problems
from tradewind_provider.domain.addresses import Gate

log = logging.getLogger(__name__)

ROOT: Final = paths.PREFIX.rsplit("/", 1)[0]


class AddressCheck:
    """ASGI middleware around the whole API server: refuses agents from elsewhere than [tradewind] allowed_addresses.
    What is not an agent's passes untouched."""

    def __init__(self, app: ASGIApp, *, gate: Callable[[], Gate] = lambda: settings.current().gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._is_an_agents(scope) and (gate := self._gate()).allowed:
            peer = (scope.get("client") or ("", 0))[0]
            forwarded = Headers(scope=scope).getlist("x-forwarded-for")
            source = gate.source_of(peer, [one for line in forwarded for one in line.split(",")])
            if not gate.admits(source):
                log.warning("Agent refused: %s may not connect", source, extra={"action": "address_refused"})
                refused = Refused(
                    Code.ADDRESS_NOT_ALLOWED,
                    f"agents may not connect to this Deployment from {source or 'an unknown address'}",
                    remedy="add the address to [tradewind] allowed_addresses; when it is a proxy's, name the proxy in "
                    "[tradewind] trusted_proxies",
                )
                await problems.response(refused.refusal, refused.status)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    @staticmethod
    def _is_an_agents(scope: Scope) -> bool:
        path = get_route_path(scope)
        return path == ROOT or path.startswith(ROOT + "/")
