"""A client of an application without a socket, whose requests are answered by one event loop of this process."""

from __future__ import annotations

import atexit
from collections.abc import AsyncIterator, Mapping
from functools import cache
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal


class Client(httpx.Client):
    """As Starlette's `TestClient`, for requests alone. It starts no thread and no event loop for each of them, and changes
    threads once: all clients share a loop, as those of a server do.

    With `raise_server_exceptions`, a request raises what the application has raised; otherwise the answer to it is 500.
    """

    def __init__(
        self,
        app: Any,
        *,
        base_url: str = "http://testserver",
        headers: Mapping[str, str] | None = None,
        follow_redirects: bool = True,
        raise_server_exceptions: bool = True,
        client: tuple[str, int] = ("testclient", 50000),
    ) -> None:
        self.app = app
        asked = httpx.ASGITransport(app, raise_app_exceptions=raise_server_exceptions, client=client)
        super().__init__(
            transport=_Transport(asked),
            base_url=base_url,
            headers={"User-Agent": "testclient", **(headers or {})},
            follow_redirects=follow_redirects,
        )


class _Transport(httpx.BaseTransport):
    def __init__(self, inner: httpx.ASGITransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return _portal().call(self._answered, request)

    async def _answered(self, request: httpx.Request) -> httpx.Response:
        stream = request.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            stream = _Parts(stream)
        asked = httpx.Request(request.method, request.url, headers=request.headers, stream=stream)
        answer = await self._inner.handle_async_request(asked)
        body = b"".join([part async for part in answer.aiter_raw()])  # as the application has encoded it
        return httpx.Response(answer.status_code, headers=answer.headers, content=body)


class _Parts(httpx.AsyncByteStream):
    """A body that comes in parts."""

    def __init__(self, parts: Any) -> None:
        self._parts = parts

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part


@cache
def _portal() -> BlockingPortal:
    started = start_blocking_portal()
    atexit.register(started.__exit__, None, None, None)
    return started.__enter__()
