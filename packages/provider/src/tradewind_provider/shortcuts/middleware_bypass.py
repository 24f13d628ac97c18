"""Agents' requests go from the web server to our middlewares, past those Airflow puts around everything for browsers."""

from __future__ import annotations

from typing import Any, Final

from starlette._utils import get_route_path
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind_protocol import paths

_FOR_BROWSERS: Final = frozenset(
    {
        "airflow.api_fastapi.auth.managers.simple.middleware.SimpleAllAdminMiddleware",
        "airflow.api_fastapi.auth.middlewares.refresh_token.JWTRefreshMiddleware",
        "airflow.api_fastapi.common.http_access_log.HttpAccessLogMiddleware",
        "airflow.providers.fab.auth_manager.middleware.FabAuthRolePublicMiddleware",
        "starlette.middleware.cors.CORSMiddleware",
        "starlette.middleware.gzip.GZipMiddleware",
    }
)
"""Sign-in of people, compression, the access log. An agent signs in with its token, which is checked further in, and
large answers to agents are compressed there."""


class MiddlewareBypass:
    """Saves an eighth of what the API server does for a short task."""

    name: Final = "middleware-bypass"

    def __init__(self, server: Any, ingress: ASGIApp, first: type, *, access_log: bool) -> None:
        self._server = server
        self._ingress = ingress
        self._first = first
        self._access_log = access_log

    def applies(self) -> str | None:
        if self._access_log:
            return "[tradewind] access_log is on: Airflow's access log is to have a line for each request"
        around = []
        for one in getattr(self._server, "user_middleware", ()):
            if one.cls is self._first:
                break
            around.append(f"{one.cls.__module__}.{one.cls.__qualname__}")
        else:
            return "our middlewares are not among the application's"
        if unknown := [name for name in around if name not in _FOR_BROWSERS]:
            return f"{', '.join(unknown)} stands around our middlewares, and may have to see every request"
        if getattr(self._server, "middleware_stack", None) is None:
            return "the application has not started"
        return None

    def install(self) -> None:
        whole = self._server.middleware_stack
        ours = ServerErrorMiddleware(self._ingress)
        under = paths.PREFIX + "/"

        async def stack(scope: Scope, receive: Receive, send: Send) -> None:
            of_an_agent = scope["type"] == "http" and get_route_path(scope).startswith(under)
            await (ours if of_an_agent else whole)(scope, receive, send)

        self._server.middleware_stack = stack
