"""Leaving the gateway's server ends the requests in flight before anything they use is closed."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tradewind_agent.gateway.server import SocketServer


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tw-") as directory:
        yield Path(directory) / "s.sock"


async def test_a_held_request_has_ended_when_the_server_has(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held, story = asyncio.Event(), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        held.set()
        try:
            await asyncio.sleep(600)
        finally:
            await asyncio.sleep(0.05)  # such as a line in the ledger
            story.append("the request has ended")

    transport = httpx.AsyncHTTPTransport(uds=str(place))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=60) as client:
        async with SocketServer(app, place, grace=0.2):
            asking = asyncio.create_task(client.get("/"))
            await held.wait()
        story.append("the server has ended")
        with suppress(httpx.HTTPError):
            await asking
    assert story == ["the request has ended", "the server has ended"]
    assert "running task" not in caplog.text
