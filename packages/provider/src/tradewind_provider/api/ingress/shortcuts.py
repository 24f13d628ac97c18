"""The outermost of our middlewares: installs the shortcuts once the server has started."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_provider import settings
from tradewind_provider.airflow.execution_api import ExecutionApi
from tradewind_provider.shortcuts import table
from tradewind_provider.shortcuts.switch import ShortcutSwitch


class ShortcutInstaller:
    """ASGI middleware that passes everything on. It sees the server start after all others have, so that what they
    find out at their start is known when the shortcuts are installed."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        shortcuts: ShortcutSwitch | None = None,
        execution: ExecutionApi | None = None,
        access_log: Callable[[], bool] = lambda: settings.current().access_log,
    ) -> None:
        self._app = app
        self._shortcuts = shortcuts or ShortcutSwitch()
        self._execution = execution or ExecutionApi()
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            send = self._installing(scope, send)
        await self._app(scope, receive, send)

    def _installing(self, scope: Scope, send: Send) -> Send:
        async def on(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._shortcuts.install(
                    table.of_api_server(
                        scope.get("app"),
                        self._app,
                        type(self),
                        execution_api=self._execution,
                        access_log=self._access_log(),
                    )
                )
            await send(message)

        return on
