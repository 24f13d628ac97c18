"""/healthz, /readyz, /metrics, /status and /examination of one agent, for probes, Prometheus and people on the machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from tradewind_agent.kits.serving import Serving
from tradewind_agent.monitoring import metrics
from tradewind_protocol import prometheus

log = structlog.get_logger(__name__)

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class Health:
    """The ASGI application.

    /healthz is 200 as long as the process serves requests (the same event loop runs everything). /readyz is 200 while
    the plane answers and nothing keeps the agent from taking work. Everything is gathered when asked.
    """

    def __init__(
        self, *, document: Callable[[], dict[str, Any]], examination: Callable[[], dict[str, Any]] = dict
    ) -> None:
        self._document = document
        self._examination = examination

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"]
        if path == "/healthz":
            await _answer(send, 200, b"ok\n")
        elif path == "/readyz":
            why = self._document().get("not_ready", "")
            await _answer(send, 503 if why else 200, f"{why or 'ready'}\n".encode())
        elif path == "/metrics":
            body = metrics.text(self._document()).encode()
            await _answer(send, 200, body, kind=prometheus.CONTENT_TYPE.encode())
        elif path == "/status":
            body = json.dumps(self._document(), indent=1, default=str).encode() + b"\n"
            await _answer(send, 200, body, kind=b"application/json")
        elif path == "/examination":
            body = json.dumps(self._examination(), indent=1).encode() + b"\n"
            await _answer(send, 200, body, kind=b"application/json")
        else:
            await _answer(send, 404, b"there are /healthz, /readyz, /metrics, /status and /examination\n")


class Probes:
    """Serves `Health` on a port from entering to leaving the context; on none for port 0.

    A port that cannot be opened does not stop the agent: `problem` says so, for the agent's own checks.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        document: Callable[[], dict[str, Any]],
        examination: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._host, self._port = host, port
        self._document = document
        self._examination = examination
        self._serving: Serving | None = None
        self.problem = ""

    async def __aenter__(self) -> Probes:
        if self._port == 0:
            return self
        try:
            listener = listen(self._host, self._port)
        except OSError as error:
            self.problem = f"no probes and no metrics: {self._host}:{self._port} cannot be opened: {error.strerror or error}"
            log.warning(
                "The port of probes and metrics cannot be opened",
                action="metrics_off",
                port=self._port,
                error=str(error),
            )
            return self
        self._serving = Serving(
            Health(document=self._document, examination=self._examination), listener, name="health"
        )
        await self._serving.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._serving is not None:
            await self._serving.__aexit__(*error)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises OSError when the address is taken."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


async def _answer(
    send: Send, status: int, body: bytes, *, kind: bytes = b"text/plain; charset=utf-8"
) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
