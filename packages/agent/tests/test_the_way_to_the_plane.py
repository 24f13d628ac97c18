"""Proxies, authorities and client certificates, with real sockets."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tradewind_agent.errors import PlaneUnreachable, SettingsWrong
from tradewind_agent.http import tls
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.plane.credentials import AgentToken
from tradewind_agent.settings import Settings
from tradewind_protocol import ids, versions
from tradewind_protocol.polling import Poll
from tradewind_protocol.sessions import Cadence, OpenSession, SessionOpened
from tradewind_protocol.states import Component

TOKEN = ids.new_secret(ids.AGENT_TOKEN_PREFIX)


def client(url: str, *, transport: httpx.AsyncBaseTransport | None = None, **options: Any) -> PlaneClient:
    settings = Settings(plane_url=url, token=TOKEN, **options)
    return PlaneClient(
        url=settings.plane_url,
        token=AgentToken(value=settings.token),
        introduction=lambda: OpenSession(
            agent_id=uuid4(), instance=uuid4(), name="a", components=(Component.WORKER,)
        ),
        transport=transport,
        tls=tls.context(settings),
        proxy=settings.proxy.get_secret_value() if settings.proxy else None,
    )


@asynccontextmanager
async def refusing_proxy() -> AsyncIterator[tuple[int, list[str]]]:
    """A proxy that writes down what it is asked and refuses."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], asked


@pytest.mark.parametrize("how", ["setting", "environment"])
async def test_a_proxy_is_used_with_its_credentials(how: str, monkeypatch: pytest.MonkeyPatch):
    async with refusing_proxy() as (port, asked):
        address = f"http://someone:word@127.0.0.1:{port}"
        if how == "environment":
            monkeypatch.setenv("HTTPS_PROXY", address)
        made = client("https://plane.test", **({"proxy": address} if how == "setting" else {}))
        async with made as plane:
            with pytest.raises(PlaneUnreachable) as caught:
                await plane.ensure_session()
    credentials = base64.b64encode(b"someone:word").decode()
    assert asked[0].startswith("CONNECT plane.test:443 ")
    assert f"proxy-authorization: basic {credentials}".lower() in asked[0].lower()
    assert TOKEN not in asked[0]  # the token goes through the tunnel, never to the proxy
    assert "proxy" in str(caught.value) and "407" in str(caught.value)
    assert "word" not in str(caught.value) and not caught.value.may_have_arrived


async def test_json_of_somebody_else_is_not_taken_for_the_planes_answer():
    opened = SessionOpened(
        session_id=uuid4(), session_token="t", deployment="d", cadence=Cadence(), airflow_version="3.3.2"
    )

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/sessions"):
            return httpx.Response(200, content=opened.model_dump_json(), headers={versions.HEADER: "1.0"})
        return httpx.Response(200, json={"offers": []}, headers={"server": "captive-portal"})

    async with client("http://plane.test", transport=httpx.MockTransport(answer)) as plane:
        with pytest.raises(PlaneUnreachable, match="captive-portal"):
            await plane.poll(Poll())
        assert not plane.reachable


@pytest.mark.parametrize("cadence", [Cadence(), Cadence(poll=2, lost_after=6)])
async def test_a_poll_sent_into_nothing_is_given_up_before_the_agent_is(cadence: Cadence):
    opened = SessionOpened(session_id=uuid4(), session_token="t", deployment="d", cadence=cadence)
    patience: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/sessions"):
            return httpx.Response(200, content=opened.model_dump_json(), headers={versions.HEADER: "1.0"})
        patience.append(request.extensions["timeout"]["read"])
        raise httpx.ReadTimeout("nobody there", request=request)

    async with client("http://plane.test", transport=httpx.MockTransport(answer)) as plane:
        with pytest.raises(PlaneUnreachable):
            await plane.poll(Poll())
    assert cadence.poll < patience[0] < cadence.lost_after - 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
async def test_a_private_authority_and_a_client_certificate_open_the_way(tmp_path: Path):
    _certificates(tmp_path)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tmp_path / "ca.pem"))
    serving.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    serving.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 418 ok\r\nContent-Length: 0\r\nServer: behind-tls\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=serving)
    async with server:
        url = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        with_all = {
            "ca_file": tmp_path / "ca.pem",
            "client_cert": tmp_path / "client.pem",
            "client_key": tmp_path / "client.key",
        }
        async with client(url, **with_all) as plane:
            with pytest.raises(PlaneUnreachable, match="behind-tls answered 418"):
                await plane.ensure_session()
        async with client(url) as plane:
            with pytest.raises(PlaneUnreachable, match="not trusted.*ca_file"):
                await plane.ensure_session()
        async with client(url, ca_file=tmp_path / "ca.pem") as plane:
            with pytest.raises(PlaneUnreachable) as caught:
                await plane.ensure_session()
            assert "behind-tls" not in str(caught.value)


def test_a_certificate_file_that_is_none_is_named(tmp_path: Path):
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("")
    for options in ({"ca_file": nothing}, {"client_cert": nothing}):
        with pytest.raises(SettingsWrong, match=rf"{next(iter(options))} .*nothing\.pem"):
            client("https://plane.test", **options)


def _certificates(directory: Path) -> None:
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "2",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    (directory / "names").write_text("subjectAltName=DNS:localhost\n")
    for name in ("server", "client"):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.pem", "-days", "2", "-extfile", "names")  # fmt: skip
