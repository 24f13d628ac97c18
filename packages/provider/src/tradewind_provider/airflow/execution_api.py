"""Airflow's Execution API in the same process: where it is, and the tokens it takes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from airflow.api_fastapi.auth.tokens import JWTGenerator, get_signing_args
from airflow.configuration import conf
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

MOUNT: Final = "/execution"
"""Where Airflow's API server mounts it."""

VALID: Final = 600.0
"""Seconds a token is good for: Airflow's own (`[execution_api] jwt_expiration_time`). It is verified when its request's turn
comes, which an overloaded API server can put off for a minute and more; a task would fail of it ("Signature has expired").
Airflow sends a fresh one along once a fifth is left; ours are used up long before."""

_REUSED: Final = 20.0
_MOST: Final = 10_000


def keys_are_local() -> bool:
    """Whether Airflow verifies tokens without asking a server for keys, which it does by a client that belongs to the
    server's event loop."""
    return not conf.get("api_auth", "trusted_jwks_url", fallback="")


def mount_of(scope: Scope) -> Mount | None:
    """The application mounted in Airflow's API server that a request is for; None when there is none.

    Handing the request to it leaves out what Airflow puts around all of its applications for browsers: compression,
    the renewal of sign-in cookies, the access log. That is a third of what a small request costs.
    """
    for route in getattr(scope.get("app"), "routes", ()):
        if isinstance(route, Mount) and route.matches(scope)[0] is Match.FULL:
            return route
    return None


async def hand_to(mount: Mount, scope: Scope, receive: Receive, send: Send) -> None:
    """Let a mounted application answer, as Airflow's router would."""
    inner = {**scope}
    inner.update(mount.matches(inner)[1])
    await mount.app(inner, receive, send)


class ExecutionApi:
    """The Execution API of this API server, as requests of agents reach it. Known once the server has started."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None
        """The application Airflow mounted; None where this server serves none."""
        self._answering: ASGIApp | None = None

    def replace(self, make: Callable[[Any], ASGIApp]) -> None:
        """From now on `make(application)` answers agents in the place of the application that did so far."""
        self._answering = make(self._answering or self.app)

    async def answer(self, mount: Mount, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is for `mount`."""
        if self._answering is None or mount.app is not self.app:
            await hand_to(mount, scope, receive, send)
            return
        inner = {**scope}
        inner.update(mount.matches(inner)[1])
        await self._answering(inner, receive, send)

    async def start(self, scope: Scope) -> None:
        """Find the application, and ask it for its health once, `scope` being that of the server's lifespan. Airflow
        builds the API's routes at its first request, which takes seconds during which nothing else is answered."""
        path = MOUNT + "/health"
        request: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": None,
            "server": None,
            "app": scope.get("app"),
            "state": scope.get("state", {}),
        }
        if (mount := mount_of(request)) is None:
            log.warning(
                "Requests of tasks go through all of Airflow's applications: none is mounted at %s of this server",
                MOUNT,
                extra={"action": "execution_api_unknown"},
            )
            return
        self.app = mount.app

        async def nothing() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def ignore(_: Message) -> None:
            """The answer does not matter."""

        await hand_to(mount, request, nothing, ignore)


class ExecutionTokens:
    """Short-lived Execution API tokens for requests inside this process. One is used again for 20 seconds, because an
    asymmetric signature costs a millisecond."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._generator: Any = None
        self._minted: dict[tuple[UUID, str], tuple[str, float]] = {}

    def mint(self, subject: UUID, *, workload: bool) -> str:
        """A token for that task instance, callback or connection test; the nil UUID for a component.

        Raises ValueError or Airflow's configuration error when this API server has no key to sign with.
        """
        scope = "workload" if workload else "execution"
        now = self._clock()
        token, until = self._minted.get((subject, scope), ("", 0.0))
        if until > now:
            return token
        if self._generator is None:
            self._generator = _generator()
        token = self._generator.generate(extras={"sub": str(subject), "scope": scope}, valid_for=VALID)
        if len(self._minted) >= _MOST:
            self._minted.clear()
        self._minted[(subject, scope)] = (token, now + _REUSED)
        return token

    def __repr__(self) -> str:
        return f"<ExecutionTokens: {len(self._minted)} in use>"


def _generator() -> Any:
    """As Airflow's scheduler and API server make theirs."""
    return JWTGenerator(
        valid_for=VALID,
        audience=conf.get_mandatory_list_value("execution_api", "jwt_audience")[0],
        issuer=conf.get("api_auth", "jwt_issuer", fallback=None),
        **get_signing_args(make_secret_key_if_needed=False),
    )
