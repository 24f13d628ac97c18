"""Says of each request where it came from, and gives its answer the request's id."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_platform.domain.ids import new_id
from tradewind_platform.services.change import Origin

REQUEST_ID: Final = "X-Request-Id"


class RequestOrigin:
    """The address is the web server's word: that of the connection, or what a proxy says that the server trusts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(new_id())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        client = scope.get("client")
        agent = Headers(scope=scope).get("user-agent", "")
        scope["tradewind_origin"] = Origin(request_id, client[0] if client else "", agent)
        await self._app(scope, receive, send_with_id)
