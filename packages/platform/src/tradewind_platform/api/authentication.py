"""Reads the credential of a request from its headers, before anything of its body is read."""

from __future__ import annotations

from typing import Final

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_platform.api import problems
from tradewind_platform.api.context import Caller, Platform
from tradewind_platform.domain.ids import new_id
from tradewind_platform.services import api_tokens
from tradewind_platform.services.change import Origin
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import PREFIX

REQUEST_ID: Final = "X-Request-Id"


class Authentication:
    """Every path below `/v1` has a caller, or the answer 401 or 403. Each answer has the request's id."""

    def __init__(self, app: ASGIApp, platform: Platform) -> None:
        self._app = app
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(new_id())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            await send(message)

        if scope["path"] == PREFIX or scope["path"].startswith(PREFIX + "/"):
            try:
                scope["tradewind_caller"] = await anyio.to_thread.run_sync(self._caller, scope, request_id)
            except Refused as error:
                await problems.answer(error.refusal)(scope, receive, send_with_id)
                return
        await self._app(scope, receive, send_with_id)

    def _caller(self, scope: Scope, request_id: str) -> Caller:
        headers = Headers(scope=scope)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused(
                Code.TOKEN_MISSING,
                "the request has no API token",
                remedy="Send one: `Authorization: Bearer tw_api_…`.",
            )
        organization, principal = api_tokens.authenticate(
            self._platform.store, token.strip(), now=self._platform.clock()
        )
        client = scope.get("client")
        return Caller(
            organization,
            principal,
            Origin(request_id, client[0] if client else "", headers.get("user-agent", "")),
        )
