"""What the doctor is tried with: an examination, servers that misbehave, a plane."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.kits.serving import Serving
from tradewind_agent.settings import Settings
from tradewind_agent.testing import FakePlane
from tradewind_protocol.checks import Result

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def an_examination(tmp_path: Path, url: str = "http://127.0.0.1:1", **more: Any) -> Examination:
    about = {
        key: more.pop(key)
        for key in ("expect_private", "long", "patience", "environment_patience")
        if key in more
    }
    given = {
        "plane_url": url,
        "token": FakePlane().token,
        "name": "site-1",
        "state_dir": tmp_path / "state",
        "metrics_port": 0,
        **more,
    }
    return Examination(Settings(**given), **about)


async def results(check: Any, one: Examination) -> dict[str, Result]:
    return {result.check: result async for result in check.check(one)}


@asynccontextmanager
async def serving(answer: Serve, **more: Any) -> AsyncIterator[int]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, **more)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def fake_plane(plane: Any) -> AsyncIterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    async with Serving(plane, listener, name="fake plane"):
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def saying(text: str) -> Serve:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text.encode())
        await writer.drain()
        writer.close()

    return answer


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()
