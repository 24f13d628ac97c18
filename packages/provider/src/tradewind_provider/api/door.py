"""The door: the way of an agent's requests to Airflow's Execution API."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class Door:
    """ASGI middleware. Passes everything on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
