"""Requests of agents reach the Execution API's routes without its middlewares: what these do is done here."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any, Final
from weakref import ref

from airflow.api_fastapi.execution_api.app import CorrelationIdMiddleware, JWTReissueMiddleware
from cadwyn._internal.context_vars import DEFAULT_API_VERSION_VAR
from cadwyn.middleware import VersionPickingMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from tradewind_provider.airflow.execution_api import ExecutionApi

_CORRELATION: Final = b"correlation-id"
_VERIFIED: Final = "ti_token"
"""Where Airflow keeps a request's token once it has verified it."""
_MOST: Final = 10_000
_KNOWN: Final = (JWTReissueMiddleware, CorrelationIdMiddleware, VersionPickingMiddleware)


class DirectDispatch:
    """Saves a third of what a small request costs: Airflow's middlewares start two tasks each for every request."""

    name: Final = "direct-dispatch"

    def __init__(self, execution_api: ExecutionApi) -> None:
        self._execution_api = execution_api

    def applies(self) -> str | None:
        app: Any = self._execution_api.app
        if app is None:
            return "this API server serves no Execution API"
        found = {one.cls: one for one in getattr(app, "user_middleware", ())}
        if unknown := [one.__qualname__ for one in found if one not in _KNOWN]:
            return f"{', '.join(unknown)} is among the Execution API's middlewares, and may not be left out"
        if missing := [one.__qualname__ for one in _KNOWN if one not in found]:
            return f"{', '.join(missing)} is not among the Execution API's middlewares"
        if not isinstance(found[VersionPickingMiddleware].kwargs["api_version_default_value"], str):
            return "the Execution API's default version is not a fixed one"
        if getattr(app, "middleware_stack", None) is None:
            return "the Execution API has not built its routes"
        return None

    def install(self) -> None:
        self._execution_api.replace(RoutesAlone)


class RoutesAlone:
    """An ASGI application that answers as the Execution API `app` does.

    - The version of the API that a client asks for is picked, and stands in the answer.
    - The correlation id is noted for what is logged, and echoed.
    - Tokens are not renewed: ours never leave this process and are used up long before. One that Airflow has verified
      counts as verified for as long as `ExecutionTokens` hands it out, which is less than it is valid.
    """

    def __init__(self, app: Any) -> None:
        (picking,) = (one.kwargs for one in app.user_middleware if one.cls is VersionPickingMiddleware)
        bare = copy.copy(app)  # the same routes, state and handlers of errors
        bare.user_middleware = []
        self._stack: ASGIApp = bare.build_middleware_stack()
        self._app = ref(app)
        self._version_header = str(picking["api_version_parameter_name"]).lower().encode()
        self._versions = picking["api_version_manager"]
        self._default: str = picking["api_version_default_value"]
        self._version: ContextVar[Any] = picking["api_version_var"]
        self._verified: dict[bytes, Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self._app()
        headers = dict(scope["headers"])
        shown = headers.get(b"authorization", b"")
        verified = self._verified.get(shown)
        if verified is not None:
            scope[_VERIFIED] = verified
        asked = self._versions.get(Request(scope))
        version = self._default if asked is None else asked
        added = [(self._version_header, str(version).encode())]
        with ExitStack() as noted:
            noted.callback(self._version.reset, self._version.set(version))
            noted.callback(
                DEFAULT_API_VERSION_VAR.reset, DEFAULT_API_VERSION_VAR.set(version if asked is None else None)
            )
            if (correlation := headers.get(_CORRELATION)) is not None:
                added.append((_CORRELATION, correlation))
                noted.enter_context(bound_contextvars(correlation_id=correlation.decode("latin-1")))

            async def on(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message = {**message, "headers": [*message.get("headers", ()), *added]}
                await send(message)

            await self._stack(scope, receive, on)
        if verified is None and (token := scope.get(_VERIFIED)) is not None:
            if len(self._verified) >= _MOST:
                self._verified.clear()
            self._verified[shown] = token
