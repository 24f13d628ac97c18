"""How a request gets from the proxy to the application that answers it, and what is ready before the first one."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind_provider.api.agent_requests import AgentRequests
from tradewind_provider.composition import compose

from .conftest import Plane

bound_to_this_request: ContextVar[str] = ContextVar("bound_to_this_request")


class Noting:
    """A middleware that notes what passes it."""

    def __init__(self, app: ASGIApp, passed: list[str]) -> None:
        self._app, self._passed = app, passed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._passed.append(scope["path"])
        await self._app(scope, receive, send)


async def test_what_airflow_puts_around_its_applications_for_browsers_is_left_out(plane: Plane) -> None:
    passed: list[str] = []

    async def answer(request: Request) -> JSONResponse:
        return JSONResponse({"path": request.url.path, "by": request.headers["authorization"][:7]})

    inner = Starlette(routes=[Route("/task-instances/{id}/run", answer, methods=["PATCH"])])
    root = Starlette(
        routes=[Mount("/execution", inner), Route("/page", lambda _: JSONResponse({}))],
        middleware=[Middleware(Noting, passed=passed)],
    )
    through = Plane(root)
    session = through.session()
    ti_id = through.task_instance()
    async with through.http(session, through.attempt(session, ti_id)) as http:
        said = await http.patch(f"/task-instances/{ti_id}/run", json={})
        assert said.json() == {"path": f"/execution/task-instances/{ti_id}/run", "by": "Bearer "}
        assert passed == []
        assert (await http.get("http://plane/page")).status_code == 200
    assert passed == ["/page"]


async def test_a_poll_goes_straight_to_its_application_and_a_large_answer_is_compressed(plane: Plane) -> None:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse({"offers": "x" * int((await request.json())["size"])})

    async def for_browsers(*_: Any) -> None:
        raise AssertionError("went round by what is for browsers")

    inner = Starlette(routes=[Route("/v1/poll", answer, methods=["POST"])])
    root = Starlette(routes=[Mount("/remote-execution", inner)])
    middleware = AgentRequests(for_browsers, plane=plane.parts)

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        await middleware({**scope, "app": root}, receive, send)

    transport = httpx.ASGITransport(server)
    headers = {"authorization": f"Bearer {plane.session()}"}
    base_url = "http://plane/remote-execution/v1"
    async with httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers) as http:
        small, large = [await http.post("/poll", json={"size": size}) for size in (100, 5000)]
    assert "content-encoding" not in small.headers
    assert large.headers["content-encoding"] == "gzip"
    assert large.json() == {"offers": "x" * 5000}


async def test_airflows_routes_are_built_before_the_server_says_it_is_ready() -> None:
    events: list[str] = []

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        events.append(f"built by {scope['path']}")
        await JSONResponse({})(scope, receive, send)

    events += await _started(FastAPI(routes=[Mount("/execution", late)]), events)
    assert events == ["built by /execution/health", "lifespan.startup.complete"]


async def test_a_server_whose_routes_cannot_be_built_starts_all_the_same() -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("no routes")

    assert await _started(FastAPI(routes=[Mount("/execution", broken)]), []) == ["lifespan.startup.complete"]


async def test_a_server_whose_execution_api_is_not_found_says_so(caplog: pytest.LogCaptureFixture) -> None:
    await _started(FastAPI(), [])
    assert "none is mounted at /execution" in caplog.text


async def _started(root: FastAPI, events: list[str]) -> list[str]:
    """Start a server with the middleware; what it says."""
    said: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert not events
        await send({"type": "lifespan.startup.complete"})

    async def nothing() -> Any:
        return {"type": "lifespan.startup"}

    async def hear(message: Any) -> None:
        said.append(message["type"])

    await AgentRequests(app, plane=compose())({"type": "lifespan", "app": root, "state": {}}, nothing, hear)
    return said
