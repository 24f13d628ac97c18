"""An HTTP server inside a process that does other things."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    """Uvicorn that leaves signals to the process it runs in, and says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


class Serving:
    """Serves an ASGI application on a listening socket from entering to leaving the context.

    Leaving stops taking connections, gives requests in flight `grace` seconds, sees all of them end and closes the
    socket. `keep_alive` is how long a connection without requests stays open, in seconds.
    """

    def __init__(
        self,
        app: Any,
        listener: socket.socket,
        *,
        name: str,
        grace: float = 1.0,
        keep_alive: int = 5,
        date_header: bool = True,
    ) -> None:
        self._listener = listener
        self._name = name
        self._grace = grace
        self._server = _Server(
            uvicorn.Config(
                app,
                loop="none",
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=date_header,
                timeout_keep_alive=keep_alive,
                timeout_graceful_shutdown=round(grace) + 5,  # ours comes first, and waits for what it cancels
                backlog=2048,
            )
        )

    async def __aenter__(self) -> Serving:
        """Returns once requests are served. Raises RuntimeError when the server ends before that."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]), name=self._name)
        ready = asyncio.create_task(self._server.ready.wait(), name=f"{self._name} ready")
        await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            self._listener.close()
            self._task.result()
            raise RuntimeError(f"the server of {self._name} ended before it was ready")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.should_exit = True
        try:
            await self._end_requests()
            await self._task
        finally:
            self._listener.close()

    async def _end_requests(self) -> None:
        """Give requests in flight their grace, then cancel them and see them end: what they use is closed next."""
        for wait in (self._grace, None):
            running = set(self._server.server_state.tasks)
            if not running:
                return
            _, left = await asyncio.wait(running, timeout=wait)
            for task in left:
                task.cancel()
