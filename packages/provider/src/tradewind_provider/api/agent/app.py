"""The Remote Execution API, mounted by Airflow's API server at /remote-execution."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial

from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_protocol import versions
from tradewind_provider import aiotasks
from tradewind_provider.api import problems
from tradewind_provider.api.agent import (
    attempts,
    dags,
    logs,
    metrics,
    polling,
    sentinel,
    sessions,
    site,
    stopping,
    stored_runs,
    triggers,
)
from tradewind_provider.api.agent.sweeper import Sweeper
from tradewind_provider.api.dispatch.dispatcher import Dispatcher
from tradewind_provider.api.plane import Plane
from tradewind_provider.domain.addresses import proxy_warnings
from tradewind_provider.notifications import peers
from tradewind_provider.services import airflow_hooks

log = logging.getLogger(__name__)


def create_app(plane: Plane) -> FastAPI:
    """The application of `plane`. Airflow's own lifespan enters that of every application it mounts."""
    app = FastAPI(
        title="Tradewind Remote Execution API",
        version=str(versions.PROTOCOL),
        description="What agents ask of the plane. JSON; every verb is idempotent; errors are Refusals.",
        lifespan=_lifespan,
        openapi_url=None,  # described in docs/reference/protocol.md: FastAPI's pages fetch scripts from public hosts
        docs_url=None,
        redoc_url=None,
    )
    airflow_hooks.install()
    app.state.plane = plane
    problems.install(app)
    app.add_middleware(_SaysVersion)
    app.router.routes.extend(_routes())
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Every route. A route finds its plane in the request: all applications of a process share what takes long to make."""
    router = APIRouter()
    for module in (sessions, polling, attempts, dags, triggers, logs, stored_runs, site, sentinel, metrics):
        router.include_router(module.router, prefix="/v1")
    return tuple(router.routes)


class _SaysVersion:
    """Every answer carries the protocol's version. Plain ASGI: a poll must notice that its client went away."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[versions.HEADER] = str(versions.PROTOCOL)
            await send(message)

        await self._app(scope, receive, say if scope["type"] == "http" else send)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Receive notifications, offer work, sweep: for as long as the API server runs."""
    plane: Plane = app.state.plane
    for warning in proxy_warnings(plane.settings.gate.proxies):
        log.warning(
            "A network of trusted proxies is too wide: %s",
            warning,
            extra={"action": "trusted_proxies_too_wide"},
        )
    dispatcher = Dispatcher(plane.settings, clock=plane.clock, hub=plane.hub)
    sweeper = Sweeper(plane.settings, clock=plane.clock, sessions=plane.sessions)

    def stop_soon() -> None:
        dispatcher.stop_soon()
        sweeper.stop_soon()
        plane.relay.close_all()

    async with (
        plane.hub.receiving(),
        peers.listening(plane.relay.server, partial(logs.from_peer, plane.relay)),
    ):
        loops = [
            asyncio.create_task(dispatcher.run(), name="tradewind-dispatcher"),
            asyncio.create_task(sweeper.run(), name="tradewind-sweeper"),
        ]
        for loop in loops:
            loop.add_done_callback(_log_end)
        plane.dispatcher = dispatcher
        try:
            with stopping.at_signal(stop_soon):
                yield
        finally:
            plane.dispatcher = None
            dispatcher.answer_all()
            await aiotasks.cancel(*loops)


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s ended: %s", task.get_name(), error, exc_info=error, extra={"action": "loop_ended"})
