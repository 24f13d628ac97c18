"""Agents' requests go past what is around all applications for browsers, and past nothing else."""

from __future__ import annotations

from contextlib import AsyncExitStack

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind_protocol import paths
from tradewind_provider.api.ingress.shortcuts import ShortcutInstaller

AGENTS = paths.PREFIX + "/poll"


class Guard:
    """Somebody else's middleware, which may be there to see every request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("seen_by", []).append(type(self).__name__)
        await self._app(scope, receive, send)


class Inner(Guard):
    """One of ours, or of another plugin, that stands inside."""


async def _answer(request: Request) -> PlainTextResponse:
    if request.url.path.endswith("/broken"):
        raise RuntimeError("broken")
    return PlainTextResponse("x" * 5000 + ",".join(request.scope.get("seen_by", ())))


def _app(*around: type, access_log: bool = False) -> Starlette:
    return Starlette(
        routes=[Route("/{path:path}", _answer, methods=["GET", "POST"])],
        middleware=[
            *(Middleware(one) for one in around),
            Middleware(ShortcutInstaller, access_log=lambda: access_log),
            Middleware(Inner),
        ],
    )


async def _asked(app: Starlette, path: str, *, root: str = "") -> httpx.Response:
    async with AsyncExitStack() as stack:
        await _started(app)
        transport = httpx.ASGITransport(app=app, root_path=root, raise_app_exceptions=False)
        client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://x"))
        return await client.get(root + path)


async def _started(app: Starlette) -> None:
    """As a web server starts an application."""
    said = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> dict[str, str]:
        return said.pop(0)

    async def send(_: object) -> None:
        """Nobody listens."""

    await app({"type": "lifespan", "app": app, "state": {}}, receive, send)  # type: ignore[arg-type]


@pytest.mark.parametrize("root", ["", "/airflow"])
async def test_agents_requests_pass_by_what_is_for_browsers(root: str) -> None:
    app = _app(GZipMiddleware)
    mine, others = await _asked(app, AGENTS, root=root), await _asked(app, "/api/v2/dags", root=root)
    assert "content-encoding" not in mine.headers and others.headers["content-encoding"] == "gzip"
    assert mine.text.endswith("x" + "Inner") and others.text.endswith("x" + "Inner")


async def test_somebody_elses_middleware_sees_every_request() -> None:
    assert (await _asked(_app(Guard, GZipMiddleware), AGENTS)).text.endswith("xGuard,Inner")


async def test_with_the_access_log_on_they_go_through_all_of_it() -> None:
    assert (await _asked(_app(GZipMiddleware, access_log=True), AGENTS)).headers["content-encoding"] == "gzip"


async def test_an_error_on_the_short_way_is_an_answer() -> None:
    assert (await _asked(_app(GZipMiddleware), paths.PREFIX + "/broken")).status_code == 500
