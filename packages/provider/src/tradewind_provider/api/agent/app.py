"""The Remote Execution API, mounted by Airflow's API server at /remote-execution."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from tradewind_provider.api import problems
from tradewind_provider.api.agent import dags, triggers
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.services import waking


def create_app(*, clock: Clock = utc_now) -> FastAPI:
    """The application. Airflow's own lifespan enters that of every application it mounts."""
    app = FastAPI(title="Tradewind Remote Execution API", version="1", lifespan=_lifespan)
    app.state.clock = clock
    problems.install(app)
    for module in (dags, triggers):
        app.include_router(module.router, prefix="/v1")
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with waking.hub().receiving():
        yield
