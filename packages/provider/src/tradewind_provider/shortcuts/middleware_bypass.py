"""From the web server to our middlewares, past those Airflow puts around everything for browsers."""

from __future__ import annotations

from typing import Any, Final

from starlette._utils import get_route_path
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

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
"""Sign-in of people, compression, the access log. An agent signs in with its token, which the door looks at, and what is
large the door compresses itself."""


def shorten(app: Any, ours: ASGIApp, first: type, *, under: str) -> str | None:
    """Let requests for paths below `under` go from the server straight to `ours`, the outermost of our middlewares, of
    class `first`. Call it once `app` has started.

    Returns why that was not done, or None: where anybody else has put a middleware around ours, it is asked as before.
    """
    whole = getattr(app, "middleware_stack", None)
    around = []
    for one in getattr(app, "user_middleware", ()):
        if one.cls is first:
            break
        around.append(f"{one.cls.__module__}.{one.cls.__qualname__}")
    else:
        return "our middlewares are not among the application's"
    if unknown := [name for name in around if name not in _FOR_BROWSERS]:
        return f"{', '.join(unknown)} is to see every request"
    if whole is None:
        return "the application has not started"
    short = ServerErrorMiddleware(ours)

    async def way(scope: Scope, receive: Receive, send: Send) -> None:
        mine = scope["type"] == "http" and get_route_path(scope).startswith(under)
        await (short if mine else whole)(scope, receive, send)

    app.middleware_stack = way
    return None
