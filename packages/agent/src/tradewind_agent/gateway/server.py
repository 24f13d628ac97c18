"""An HTTP server on a unix socket that only this user can open."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from tradewind_agent.errors import SettingsWrong

LONGEST_PATH = 107  # bytes; the kernel's limit for the address of a unix socket


class _Server(uvicorn.Server):
    """Uvicorn, leaving signals to whoever runs the process, and saying when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()


class SocketServer:
    """Serves an ASGI application on `path` from entering to leaving the context.

    Leaving stops taking connections, gives requests in flight `grace` seconds, and removes the socket.
    """

    def __init__(self, app: Any, path: Path, *, grace: float = 2.0) -> None:
        self._app = app
        self._path = path
        self._grace = grace

    async def __aenter__(self) -> SocketServer:
        self._socket = bind(self._path)
        config = uvicorn.Config(
            self._app,
            loop="none",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=300,  # a supervisor's client asks every few seconds; reconnecting costs it more
            timeout_graceful_shutdown=round(self._grace)
            + 5,  # ours comes first, and waits for what it cancels
            backlog=2048,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="gateway-server")
        ready = asyncio.create_task(self._server.ready.wait(), name="gateway-ready")
        await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            self._task.result()
            raise RuntimeError(f"the gateway on {self._path} ended before it was ready")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.should_exit = True
        try:
            await self._end_requests()
            await self._task
        finally:
            self._socket.close()
            with suppress(FileNotFoundError):
                self._path.unlink()

    async def _end_requests(self) -> None:
        """Give requests in flight their grace, then cancel them and see them end: what they use is closed next."""
        for wait in (self._grace, None):
            running = set(self._server.server_state.tasks)
            if not running:
                return
            _, left = await asyncio.wait(running, timeout=wait)
            for task in left:
                task.cancel()


def bind(path: Path) -> socket.socket:
    """A listening socket that was never open to others. Replaces one that a dead process left behind."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise SettingsWrong(
            f"the path of the gateway's socket is longer than {LONGEST_PATH} bytes: {path}",
            remedy="Set state_dir to a shorter path",
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(OSError):
            os.fchmod(listener.fileno(), 0o600)  # on Linux the file is born with this mode
        listener.bind(str(path))
        os.chmod(path, 0o600)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
