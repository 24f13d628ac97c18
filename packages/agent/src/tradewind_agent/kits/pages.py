"""Pages on a TCP port of a process that does other things: probes, metrics, status."""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tradewind_agent.kits.serving import Serving

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"


@dataclass(frozen=True)
class Page:
    """The answer to a request."""

    status: int
    body: bytes
    content_type: str = TEXT


def text(status: int, line: str) -> Page:
    return Page(status, f"{line}\n".encode())


def document(value: Any) -> Page:
    """JSON for people. What is no JSON is shown as text."""
    return Page(200, json.dumps(value, indent=1, default=str).encode() + b"\n", JSON)


class Pages(Protocol):
    """What is served."""

    async def page(self, path: str, query: str) -> Page: ...


class PageServer:
    """The ASGI application of some pages. Every method is answered as GET."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        page = await self._pages.page(scope["path"], scope.get("query_string", b"").decode("latin-1"))
        headers = [
            (b"content-type", page.content_type.encode()),
            (b"content-length", str(len(page.body)).encode()),
        ]
        await send({"type": "http.response.start", "status": page.status, "headers": headers})
        await send({"type": "http.response.body", "body": page.body})


class PagesOnPort:
    """Serves pages on a port from entering to leaving the context; on none for port 0.

    A port that cannot be opened stops nothing: `on_unopened` gets the error.
    """

    def __init__(
        self, host: str, port: int, pages: Pages, *, name: str, on_unopened: Callable[[OSError], None]
    ) -> None:
        self._host, self._port = host, port
        self._pages = pages
        self._name = name
        self._on_unopened = on_unopened
        self._serving: Serving | None = None

    async def __aenter__(self) -> PagesOnPort:
        if self._port == 0:
            return self
        try:
            listener = listen(self._host, self._port)
        except OSError as error:
            self._on_unopened(error)
            return self
        self._serving = Serving(PageServer(self._pages), listener, name=self._name)
        await self._serving.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._serving is not None:
            await self._serving.__aexit__(*error)


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket. Raises OSError when the address is taken."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
