"""Every SCIM path has a caller, or the answer 401, 403 or 429 before anything of its body is read."""

from __future__ import annotations

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind_platform.api.context import Caller, Platform
from tradewind_platform.api.scim import errors
from tradewind_platform.services import scim_tokens
from tradewind_protocol.errors import Code, Refused


class ScimAuthentication:
    """Reads the SCIM token of a request. An API token or a session opens no SCIM path, and a SCIM token no other one."""

    def __init__(self, app: ASGIApp, platform: Platform) -> None:
        self._app = app
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and (path == scim_tokens.PATH or path.startswith(scim_tokens.PATH + "/")):
            try:
                scope["tradewind_caller"] = await anyio.to_thread.run_sync(self._caller, scope)
            except Refused as error:
                await errors.refused(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> Caller:
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused(
                Code.TOKEN_MISSING,
                "the request has no SCIM token",
                remedy="Send one: `Authorization: Bearer tw_scim_…`.",
            )
        organization, principal = scim_tokens.authenticate(
            self._platform.store, token.strip(), now=self._platform.clock()
        )
        self._platform.request_limit.admit(principal, scope["method"], self._platform.clock())
        return Caller(organization, principal, scope["tradewind_origin"])
