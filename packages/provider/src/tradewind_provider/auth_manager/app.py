"""What Airflow mounts at `/auth`, and what an API server does for its platform while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from tradewind_provider.auth_manager import airflow_tokens, browser_sign_in, reports
from tradewind_provider.auth_manager.following import follow

if TYPE_CHECKING:
    from tradewind_provider.auth_manager.manager import TradewindAuthManager


def create_app(manager: TradewindAuthManager) -> FastAPI:
    """The application. While it runs, it keeps the roles up to date and reports to the platform."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        replica, platform = manager.replica, manager.platform
        tasks = [
            asyncio.create_task(follow(replica, platform), name="access"),
            asyncio.create_task(reports.report_uses(replica, platform), name="token uses"),
            asyncio.create_task(
                reports.report_workload(replica, platform, reports.counted, reports.completed),
                name="workload",
            ),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(
        title="Sign-in by the Tradewind platform",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.include_router(browser_sign_in.router(manager))
    app.include_router(airflow_tokens.router(manager))
    return app
