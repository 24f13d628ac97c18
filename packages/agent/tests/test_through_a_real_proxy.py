"""A company's proxy as it is met outside: tinyproxy with credentials, and TLS of a private authority behind it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import certificates
import pytest
import uvicorn

from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.http import tls
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.settings import Settings
from tradewind_agent.testing import FakePlane
from tradewind_protocol.polling import Poll, Room
from tradewind_protocol.sessions import Cadence, OpenSession, TaskEnvironment
from tradewind_protocol.states import Component

pytestmark = [
    pytest.mark.skipif(shutil.which("tinyproxy") is None, reason="needs tinyproxy (make tinyproxy)"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command"),
]


ROOM = Poll(room=(Room(environment="default", queues=("default",), free=1),))


@dataclass(frozen=True)
class Proxy:
    """A tinyproxy that runs and asks for credentials."""

    port: int
    journal: Path

    def address(self, *, user: str = "someone", password: str = "word") -> str:
        return f"http://{user}:{password}@127.0.0.1:{self.port}"

    def tunnels(self) -> int:
        """How many it was asked for."""
        return self.journal.read_text().count("CONNECT localhost:")


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    with _tinyproxy(tmp_path) as one:
        yield one


async def test_work_reaches_an_agent_through_a_proxy_with_credentials(tmp_path: Path, proxy: Proxy) -> None:
    plane = FakePlane(cadence=Cadence(poll=20, lost_after=60))
    async with (
        _behind_tls(plane, tmp_path) as url,
        _agent(url, plane, tmp_path, proxy=proxy.address()) as agent,
    ):
        await agent.ensure_session()
        held = asyncio.create_task(agent.poll(ROOM))
        await plane.until(lambda: ("POST", "/poll") in plane.requests)
        queued = plane.queue()
        answer = await held
    assert [offer.attempt_id for offer in answer.offers] == [queued.id]
    assert proxy.tunnels() >= 1


async def test_the_proxy_learns_neither_the_token_nor_what_is_said(tmp_path: Path, proxy: Proxy) -> None:
    plane = FakePlane()
    async with (
        _behind_tls(plane, tmp_path) as url,
        _agent(url, plane, tmp_path, proxy=proxy.address()) as agent,
    ):
        await agent.ensure_session()
    seen = proxy.journal.read_text()
    assert "CONNECT localhost:" in seen
    assert plane.token not in seen and "remote-execution" not in seen


async def test_wrong_credentials_of_the_proxy_are_told_from_a_wrong_token(
    tmp_path: Path, proxy: Proxy
) -> None:
    plane = FakePlane()
    wrong = proxy.address(password="sesame")
    async with _behind_tls(plane, tmp_path) as url, _agent(url, plane, tmp_path, proxy=wrong) as agent:
        with pytest.raises(PlaneUnreachable, match="proxy") as caught:
            await agent.ensure_session()
    assert "HTTPS_PROXY" in caught.value.remedy
    assert "sesame" not in f"{caught.value} {caught.value.remedy}"
    assert plane.requests == []


@pytest.mark.parametrize(("exempt", "tunnels"), [("localhost", 0), ("elsewhere.example.com", 1)])
async def test_the_environment_names_the_proxy_and_who_is_reached_without_it(
    exempt: str, tunnels: int, tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.address())
    monkeypatch.setenv("NO_PROXY", exempt)
    plane = FakePlane()
    async with _behind_tls(plane, tmp_path) as url, _agent(url, plane, tmp_path) as agent:
        await agent.ensure_session()
    assert len(plane.sessions) == 1
    assert proxy.tunnels() == tunnels


@asynccontextmanager
async def _agent(url: str, plane: FakePlane, directory: Path, **options: Any) -> AsyncIterator[PlaneClient]:
    settings = Settings(plane_url=url, token=plane.token, ca_file=directory / "server.pem", **options)
    introduction = OpenSession(
        agent_id=uuid4(),
        instance=uuid4(),
        name="a",
        components=(Component.WORKER,),
        environments=(TaskEnvironment(name="default", queues=("default",), slots=1),),
    )
    async with PlaneClient(
        url=settings.plane_url,
        token=AgentToken(value=settings.token),
        introduction=lambda: introduction,
        tls=tls.context(settings),
        proxy=settings.proxy.get_secret_value() if settings.proxy else None,
    ) as client:
        yield client


@asynccontextmanager
async def _behind_tls(plane: FakePlane, directory: Path) -> AsyncIterator[str]:
    """The plane on a port of its own, with a certificate that only its own file vouches for."""
    certificates.of_localhost(directory)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            plane,
            ssl_certfile=directory / "server.pem",
            ssl_keyfile=str(directory / "server.key"),
            lifespan="off",
            log_config=None,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield f"https://localhost:{listening.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        await serving
        listening.close()


@contextmanager
def _tinyproxy(directory: Path) -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    journal = directory / "tinyproxy.log"
    settings = directory / "tinyproxy.conf"
    settings.write_text(
        f'Port {port}\nListen 127.0.0.1\nTimeout 60\nLogFile "{journal}"\nLogLevel Connect\nMaxClients 20\n'
        "BasicAuth someone word\nAllow 127.0.0.1\n"
    )
    process = subprocess.Popen(["tinyproxy", "-d", "-c", str(settings)], stdout=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield Proxy(port, journal)
    finally:
        process.terminate()
        process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            continue
        return
    pytest.fail(f"tinyproxy ended with {process.returncode} before it listened")
