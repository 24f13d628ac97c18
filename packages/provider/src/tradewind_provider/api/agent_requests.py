"""The root middleware for requests of agents: to the verbs of the Remote Execution API, and to Airflow's Execution API."""

from __future__ import annotations

import logging
from typing import Final

from sqlalchemy.exc import OperationalError
from starlette._utils import get_route_path
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_protocol import paths
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.airflow import execution_api
from tradewind_provider.api import bodies
from tradewind_provider.api.execution_proxy.proxy import EXECUTION, ExecutionProxy
from tradewind_provider.api.ingress import admission
from tradewind_provider.api.ingress.addresses import is_an_agents
from tradewind_provider.api.plane import Plane

log = logging.getLogger(__name__)

_ATTEMPTS: Final = paths.PREFIX + "/attempts/"
_KEPT_BACK: Final = frozenset({b"refreshed-api-token", b"set-cookie", b"www-authenticate"})


class AgentRequests:
    """ASGI middleware around the whole API server. Requests that are not an agent's pass untouched."""

    def __init__(self, app: ASGIApp, *, plane: Plane) -> None:
        self._app = app
        self._plane = plane
        self._admission = admission.Admission(
            plane.clock, rate_limiter=plane.rate_limiter, sessions=plane.sessions
        )
        # as Airflow's own
        self._compressed = GZipMiddleware(self._pass_on, minimum_size=1024, compresslevel=5)
        self._execution = ExecutionProxy(plane, whole=self._pass_on, compressed=self._compressed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._starting(scope, send))
            return
        if scope["type"] != "http" or not is_an_agents(scope):
            await self._app(scope, receive, send)
            return
        path = get_route_path(scope)
        send = bodies.signed(send, without=_KEPT_BACK)
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            if path.startswith(EXECUTION + "/"):
                await self._execution(scope, receive, watched, path.removeprefix(EXECUTION))
            else:
                await self._verb(scope, receive, watched, path)
            if not started:  # Airflow returns so when its database refuses what a request has written
                raise RuntimeError("the application returned without an answer")
        except Refused as refused:
            await bodies.refuse(send, refused)
        except bodies.ClientGone:
            return
        except Exception as error:
            if started:
                raise
            await bodies.refuse(send, _failed(scope["method"], path, error))

    async def _verb(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        if admission.has_body(scope):
            verb = path.removeprefix(paths.PREFIX)
            await self._admission.check(scope, verb)
            largest = admission.largest(verb, deployment=self._plane.settings.cadence.largest_body)
            receive = admission.timely(receive)
            if not bodies.check_length(scope, largest=largest):
                receive = bodies.replay(await bodies.read(scope, receive, largest=largest), receive)
        if path.startswith(_ATTEMPTS):
            await self._pass_on(scope, receive, send)
        else:  # offers, Dags and triggers may be large
            await self._compressed(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To the mounted application itself where it can be found, else through all that Airflow puts around it."""
        if (mount := execution_api.mount_of(scope)) is not None:
            await self._plane.execution.answer(mount, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _starting(self, scope: Scope, send: Send) -> Send:
        """A `send` that starts the Execution API before the server says that it is ready."""

        async def on(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                try:
                    await self._plane.execution.start(scope)
                except Exception:
                    log.warning(
                        "The Execution API was not warmed", exc_info=True, extra={"action": "warming_failed"}
                    )
            await send(message)

        return on


def _failed(method: str, path: str, error: Exception) -> Refused:
    """The answer to a request that failed. A database that is away is no defect: the agent waits and asks again."""
    away = isinstance(error, OperationalError)
    log.log(
        logging.WARNING if away else logging.ERROR,
        "%s %s failed",
        method,
        path,
        exc_info=None if away else error,
        extra={"action": "door_failed"},
    )
    return Refused(
        Code.UNAVAILABLE if away else Code.INTERNAL, "the plane cannot serve this request just now"
    )
