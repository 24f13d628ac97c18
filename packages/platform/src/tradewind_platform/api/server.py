"""The platform's HTTP server."""

from __future__ import annotations

import asyncio
import socket
import time
from email.utils import formatdate
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_platform.api.access_watch import AccessWatch
from tradewind_platform.api.renewed_certificate import RenewedCertificate


class Server(uvicorn.Server):
    """Answers the polls that it holds when it is told to end, by a signal too: they would keep it for as long as they may wait.

    It never wakes by itself. uvicorn does ten times a second, to make the header with the date anew and to see whether it shall
    end: on a virtual machine that has nothing else to do each time costs a millisecond of the processor.
    """

    def __init__(self, app: ASGIApp, watch: AccessWatch, **settings: Any) -> None:
        """`settings` are those of `uvicorn.Config`."""
        super().__init__(
            uvicorn.Config(
                _Dated(app),
                date_header=False,
                log_config=None,
                access_log=False,
                server_header=False,
                **settings,
            )
        )
        self._watch = watch
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = asyncio.Event()

    def end(self) -> None:
        """Answer what is asked, and end. Safe in a thread and in a signal handler; idempotent."""
        self.should_exit = True
        self._wake()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._wake()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        config = self.config
        if config.ssl is not None and config.ssl_certfile is not None:
            certificate, key = Path(config.ssl_certfile), Path(config.ssl_keyfile or config.ssl_certfile)
            config.ssl.sni_callback = RenewedCertificate(config.ssl, certificate, key)
        await super().startup(sockets)

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        if not self.should_exit:
            await self._ending.wait()

    def _wake(self) -> None:
        self._watch.close()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending.set)


class _Dated:
    """Gives each answer the date (RFC 9110, 6.6.1): the doctor compares clocks by it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                now = formatdate(time.time(), usegmt=True).encode()
                message = {**message, "headers": [(b"date", now), *message.get("headers", ())]}
            await send(message)

        await self._app(scope, receive, dated)
