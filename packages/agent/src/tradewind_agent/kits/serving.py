"""A small HTTP server inside a process that does other things."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    """Uvicorn, leaving signals to whoever runs the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Serving:
    """Serves an ASGI application on a listening socket from entering to leaving the context; closes the socket."""

    def __init__(self, app: Any, listener: socket.socket, *, name: str) -> None:
        self._listener = listener
        self._name = name
        self._server = _Server(
            uvicorn.Config(
                app,
                loop="none",
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )

    async def __aenter__(self) -> Serving:
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]), name=self._name)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        try:
            await self._task
        finally:
            self._listener.close()
