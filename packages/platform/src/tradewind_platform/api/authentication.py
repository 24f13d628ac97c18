"""Reads the credential of a request from its headers, before anything of its body is read."""

from __future__ import annotations

import anyio.to_thread
from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind_platform.api import problems
from tradewind_platform.api.context import Caller, Platform, platform_of
from tradewind_platform.domain.origins import comes_from_own_pages, cookie_name
from tradewind_platform.services import api_tokens, sign_in_sessions
from tradewind_platform.services.change import Origin
from tradewind_platform.services.sign_in_sessions import SignedIn
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import PREFIX


class Authentication:
    """Every path below `/v1` has a caller that sends not too many requests, or the answer 401, 403 or 429.

    A caller has an API token (`Authorization: Bearer`), or the cookie of a session. With a cookie, a request that
    changes something must come from the platform's own pages. A request with both is the API token's.
    """

    def __init__(self, app: ASGIApp, platform: Platform) -> None:
        self._app = app
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and (path == PREFIX or path.startswith(PREFIX + "/")):
            try:
                scope["tradewind_caller"] = await anyio.to_thread.run_sync(self._admitted, scope)
            except Refused as error:
                await problems.answer(error.refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _admitted(self, scope: Scope) -> Caller:
        caller = self._caller(scope)
        session = None if caller.signed_in is None else caller.signed_in.session
        self._platform.request_limit.admit(
            caller.principal, scope["method"], self._platform.clock(), session=session
        )
        return caller

    def _caller(self, scope: Scope) -> Caller:
        origin: Origin = scope["tradewind_origin"]
        headers = Headers(scope=scope)
        authorization = headers.get("authorization")
        value = session_value(HTTPConnection(scope), self._platform)
        if authorization is None and value is not None:
            require_own_page(scope["method"], headers, self._platform)
            found, principal = sign_in_sessions.authenticate(
                self._platform.store, value, now=self._platform.clock()
            )
            return Caller(found.organization, principal, origin, found)
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused(
                Code.TOKEN_MISSING,
                "the request has no API token, and no session",
                remedy="Sign in, or send a token: `Authorization: Bearer tw_api_…`.",
            )
        organization, principal = api_tokens.authenticate(
            self._platform.store, token.strip(), now=self._platform.clock()
        )
        return Caller(organization, principal, origin)


def signed_in(request: Request) -> SignedIn | None:
    """The person whose browser sent the request, on any path; None without a live session. Raises nothing.

    It does not ask where the request comes from: a route that changes something calls `require_own_page`.
    """
    platform = platform_of(request)
    value = session_value(request, platform)
    if value is None:
        return None
    try:
        return sign_in_sessions.authenticate(platform.store, value, now=platform.clock())[0]
    except Refused:
        return None


def require_own_page(method: str, headers: Headers, platform: Platform) -> None:
    """Raises Refused NOT_PERMITTED for a change that another site's page asks for with this browser's cookies."""
    if not comes_from_own_pages(method, headers.get("origin"), platform.origin):
        raise Refused(
            Code.NOT_PERMITTED,
            "the request does not come from the platform's own pages",
            remedy=f"Open {platform.origin}. Where people reach the platform at another address, start it with --url. "
            "A program uses an API token.",
        )


def session_value(connection: HTTPConnection, platform: Platform) -> str | None:
    """The value of the session's cookie."""
    return connection.cookies.get(cookie_name(platform.origin))
