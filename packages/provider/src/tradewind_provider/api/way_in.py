"""The outermost of our middlewares: makes the way of agents' requests short once the server has started."""

from __future__ import annotations

import logging
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_protocol import paths
from tradewind_provider import settings
from tradewind_provider.shortcuts import middleware_bypass

log = logging.getLogger(__name__)


class WayIn:
    """ASGI middleware that passes everything on. Airflow puts its own around those of plugins, for browsers: they cost
    an eighth of what the API server does for a short task. Requests of agents then go past them, unless
    [tradewind] access_log wants a line of Airflow's access log for each."""

    def __init__(
        self, app: ASGIApp, *, access_log: Callable[[], bool] = lambda: settings.current().access_log
    ) -> None:
        self._app = app
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and not self._access_log():
            send = self._shortening(scope, send)
        await self._app(scope, receive, send)

    def _shortening(self, scope: Scope, send: Send) -> Send:
        async def on(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                why_not = middleware_bypass.shorten(
                    scope.get("app"), self._app, type(self), under=paths.PREFIX + "/"
                )
                if why_not is not None:
                    log.info("Agents' requests go the long way: %s", why_not, extra={"action": "long_way_in"})
            await send(message)

        return on
