"""The platform's HTTP server ends when it is told to, though it never wakes by itself."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from support.authority import Authority
from support.platform_parts import Reconciled
from tradewind_platform.api.server import Server


def server_of(made: Reconciled) -> Server:
    return Server(made.app, made.platform.access_watch, lifespan="off")


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """It is over when the server has ended."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        running = asyncio.create_task(server._serve(sockets=[listening]))
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            yield client
        await asyncio.wait_for(running, timeout=30)


def by_a_signal(server: Server) -> None:
    server.handle_exit(signal.SIGTERM, None)


TOLD = pytest.mark.parametrize("told", [by_a_signal, Server.end], ids=["by a signal", "by its owner"])


@TOLD
async def test_it_ends_when_it_is_told_to(reconciled: Reconciled, told: Callable[[Server], None]) -> None:
    server = server_of(reconciled)
    async with serving(server) as client:
        assert (await client.get("/v1/deployments")).status_code == 401
        told(server)


@TOLD
async def test_it_ends_when_it_was_told_to_before_it_began(
    reconciled: Reconciled, told: Callable[[Server], None]
) -> None:
    server = server_of(reconciled)
    told(server)
    await asyncio.wait_for(server.main_loop(), timeout=30)


async def test_a_certificate_that_was_renewed_is_served_to_the_connections_after_the_next(
    reconciled: Reconciled, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority, files = Authority(tmp_path / "authority", "test"), (tmp_path / "tls.pem", tmp_path / "tls.key")

    def renew(*parts: int) -> None:
        made = authority.certificate("platform.example.com")
        for part in parts:
            files[part].write_bytes(made[part].read_bytes())

    renew(0, 1)
    server = Server(
        reconciled.app,
        reconciled.platform.access_watch,
        lifespan="off",
        ssl_certfile=files[0],
        ssl_keyfile=files[1],
    )
    async with serving(server) as client:
        address = ("127.0.0.1", int(str(client.base_url.port)))

        async def shown() -> str:
            return await asyncio.to_thread(ssl.get_server_certificate, address, timeout=20)

        first = await shown()
        renew(0, 1)
        assert [await shown(), await shown() == first] == [first, False]
        second = await shown()
        renew(0)  # the key follows a moment later
        assert [await shown(), await shown()] == [second, second]
        told = [one for one in caplog.records if getattr(one, "action", "") == "certificate_not_read"]
        assert len(told) == 1
        renew(0, 1)
        await shown()
        assert await shown() not in (first, second)
        server.end()


async def test_each_answer_has_one_date(reconciled: Reconciled) -> None:
    server = server_of(reconciled)
    async with serving(server) as client:
        for path in ("/v1/deployments", "/", "/nothing/here"):
            (date,) = (await client.get(path)).headers.get_list("Date")
            assert abs(datetime.now(UTC) - parsedate_to_datetime(date)) < timedelta(minutes=1)
        server.end()
