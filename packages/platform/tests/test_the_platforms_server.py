"""The platform's HTTP server ends when it is told to, though it seldom wakes by itself."""

from __future__ import annotations

import asyncio
import signal

import pytest
import uvicorn

from support.platform_parts import Reconciled
from tradewind_platform.api import server as module
from tradewind_platform.api.server import Server


async def test_a_signal_ends_the_server_before_it_would_wake(
    reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TICK", 3600.0)

    began = asyncio.Event()

    class Told(Server):
        async def on_tick(self, counter: int) -> bool:
            began.set()
            return await super().on_tick(counter)

    config = uvicorn.Config(_no_application, log_config=None, interface="asgi3")
    config.load()
    server = Told(reconciled.platform.access_watch, config)
    running = asyncio.create_task(server.main_loop())
    await began.wait()
    assert not running.done()
    server.handle_exit(signal.SIGTERM, None)
    await asyncio.wait_for(running, timeout=30)


async def _no_application(scope: object, receive: object, send: object) -> None:
    raise AssertionError("nobody asks it")
