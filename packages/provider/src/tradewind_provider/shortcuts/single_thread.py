"""What every task asks of the Execution API is answered from beginning to end in one thread.

Airflow's endpoints wait for the database, so FastAPI hands each of them to a thread, and each step into and out of its
database session too: some seven hand-overs for one request. Here a thread with an event loop of its own takes the whole
request, and does on the spot what would be handed over: nothing else waits for that loop.

FastAPI hands over through anyio, and anyio asks the backend that is current in the context of the request. Requests that
are answered here have a backend of their own, which is asyncio's but for that; no other request meets it.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final

import sniffio
from anyio._backends._asyncio import AsyncIOBackend
from anyio._core import _eventloop
from starlette._utils import get_route_path
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_provider.airflow.execution_api import ExecutionApi, keys_are_local

ENDPOINTS: Final = (
    ("PATCH", "/task-instances/x/run"),
    ("PATCH", "/task-instances/x/state"),
    ("PUT", "/task-instances/x/rtif"),
    ("POST", "/xcoms/x/x/x/x"),
)
"""A task starts, ends, shows its rendered fields and pushes an XCom; `x` stands for any names. Airflow answers each with a
synchronous function and database session, and has no need of the server's own event loop for them."""

THREADS: Final = "tradewind-execution"
_MOST: Final = 40  # threads, as many as FastAPI would use
_ASKED: Final = re.compile(
    "|".join(f"{method} {re.sub(r'(?<=/)x(?=/|$)', '[^/]+', path)}" for method, path in ENDPOINTS)
)
_BACKEND: Final = "tradewind-single-thread"


class _SingleThreadBackend(AsyncIOBackend):
    """asyncio, whose worker thread is the thread that asks."""

    @classmethod
    async def run_sync_in_worker_thread(cls, func: Any, args: Any, *_: Any, **__: Any) -> Any:
        return func(*args)


class SingleThread:
    """Saves 7 % of what the API server does for a short task."""

    name: Final = "single-thread"

    def __init__(self, execution_api: ExecutionApi) -> None:
        self._execution_api = execution_api

    def applies(self) -> str | None:
        if self._execution_api.app is None:
            return "this API server serves no Execution API"
        if not keys_are_local():
            return "[api_auth] trusted_jwks_url is set: tokens are verified by a client of the server's event loop"
        if getattr(_eventloop, "sniffio", None) is not sniffio:
            return "this anyio does not ask sniffio for the backend that is current"
        for method, path in ENDPOINTS:
            found = list(_endpoints(self._execution_api.app, method, path))
            if not found:
                return f"the Execution API has no {method} {path}"
            if any(inspect.iscoroutinefunction(one) for one in found):
                return f"{method} {path} is answered by an asynchronous function"
        return None

    def install(self) -> None:
        _eventloop.loaded_backends[_BACKEND] = _SingleThreadBackend
        self._execution_api.replace(InSingleThread)


class InSingleThread:
    """An ASGI application that lets `app` answer `ENDPOINTS` in one thread, and everything else as before."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._threads = ThreadPoolExecutor(_MOST, thread_name_prefix=THREADS)
        self._own = threading.local()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_one(scope):
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:  # the client has gone
            return
        context = copy_context()
        answer = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: context.run(self._answer, scope, body)
        )
        for message in answer:
            await send(message)

    def _answer(self, scope: Scope, body: bytes) -> list[Message]:
        """What the application sends, all of it. Raises what it raises, which may be after it has sent something."""
        loop = getattr(self._own, "loop", None)
        if loop is None:
            loop = self._own.loop = asyncio.new_event_loop()
        sent: list[Message] = []
        request = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Message:
            return next(request, {"type": "http.disconnect"})

        async def send(message: Message) -> None:
            sent.append(message)

        async def answered() -> None:
            await self._app(scope, receive, send)

        token = sniffio.current_async_library_cvar.set(_BACKEND)
        try:
            loop.run_until_complete(answered())
        finally:
            sniffio.current_async_library_cvar.reset(token)
        return sent


def _is_one(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    return _ASKED.fullmatch(f"{scope['method']} {get_route_path(scope)}") is not None


async def _body(receive: Receive) -> bytes | None:
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _endpoints(app: Any, method: str, path: str) -> Iterator[Callable[..., Any]]:
    """The functions of the application that answer such a request, in whichever version of its API."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    router = getattr(app, "router", app)
    versions = getattr(router, "versioned_routers", {})
    for routes in [getattr(app, "routes", []), *(one.routes for one in versions.values())]:
        for route in routes:
            if hasattr(route, "endpoint") and route.matches(scope)[0] is Match.FULL:
                yield inspect.unwrap(route.endpoint)
                break
