"""Each thing the doctor looks at, healthy and broken: verdict, evidence and remedy."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import ssl
import stat
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from click.testing import CliRunner

from support.secrets_backend import local_files
from tradewind_agent.cli.main import main
from tradewind_agent.doctor import (
    certificates,
    connection,
    disk,
    environments,
    examination,
    idle,
    mtu,
    names,
    outbox,
    ports,
    proxies,
    resolvers,
    route,
    running,
)
from tradewind_agent.doctor import plane as plane_check
from tradewind_agent.doctor.results import BackendReads, Examination, Result, Verdict, failed
from tradewind_agent.kits.serving import Serving
from tradewind_agent.monitoring import status
from tradewind_agent.plane import proxy
from tradewind_agent.settings import Settings
from tradewind_agent.state.outbox import Outbox
from tradewind_agent.testing import FakePlane
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.sessions import Policy
from tradewind_protocol.site import AboutToken

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


# ---- the way


async def test_a_name_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    one = an_examination(tmp_path, "https://plane.invalid")
    result = (await results(names, one))["name"]
    assert result.verdict is Verdict.FAILED and "plane.invalid has no address" in result.evidence
    assert "private zone" in result.remedy
    assert (await results(connection, one))["tcp"].verdict is Verdict.SKIPPED


async def test_a_public_address_is_a_failure_only_when_a_private_one_is_expected(tmp_path: Path) -> None:
    url = "https://8.8.8.8"
    assert (await results(names, an_examination(tmp_path, url)))["name"].verdict is Verdict.OK
    result = (await results(names, an_examination(tmp_path, url, expect_private=True)))["name"]
    assert result.verdict is Verdict.FAILED and "not private: 8.8.8.8" in result.evidence
    private = an_examination(tmp_path, "https://10.1.2.3", expect_private=True)
    evidence = (await results(names, private))["name"].evidence
    assert evidence == "10.1.2.3 leads to 10.1.2.3, all private"


async def test_the_route_is_looked_at_only_when_a_private_way_is_expected(tmp_path: Path) -> None:
    one = an_examination(tmp_path, expect_private=True)
    one.addresses = ("127.0.0.1",)
    assert (await results(route, one))["route"].evidence == "127.0.0.1 from 127.0.0.1"
    one.addresses = ("255.255.255.255",)  # the kernel refuses it without a route that broadcasts
    result = (await results(route, one))["route"]
    assert result.verdict is Verdict.FAILED and "no route to 255.255.255.255" in result.evidence
    assert not one.reachable
    assert await results(route, an_examination(tmp_path)) == {}


def answering(records: dict[bytes, bytes], code: int = 0) -> Callable[[], asyncio.DatagramProtocol]:
    """A DNS server with those records by type, or that error."""

    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: Any) -> None:
            question, kind = data[12:], data[-4:-2]
            found = records.get(kind)
            head = (
                data[:2] + bytes([0x81, 0x80 | code]) + struct.pack("!HHHH", 1, int(found is not None), 0, 0)
            )
            record = (
                b"" if found is None else b"\xc0\x0c" + kind + struct.pack("!HIH", 1, 60, len(found)) + found
            )
            self.transport.sendto(b"xx" + head[2:], address)  # an answer to another question is not taken
            self.transport.sendto(head + question + record, address)

    return Server


@pytest.mark.parametrize(
    ("records", "code", "said"),
    [
        ({b"\0\x01": bytes([10, 20, 0, 5])}, 0, "10.20.0.5"),
        ({b"\0\x1c": bytes(15) + b"\x01"}, 0, "::1"),
        ({}, 3, "no such name"),
        ({}, 2, "error 2"),
        ({}, 0, "no address"),
    ],
)
async def test_each_dns_server_is_asked_by_itself(records: dict[bytes, bytes], code: int, said: str) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(answering(records, code), local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    found = await resolvers.ask("127.0.0.1", "k3.external.example.com", patience=5, port=port)
    transport.close()
    assert str(found) == f"127.0.0.1 says {said}"


async def test_a_dns_server_that_is_silent_or_shut_is_named() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        found = await resolvers.ask("127.0.0.1", "k3.example.com", patience=0.05, port=port)
        assert found.fault == "nothing in time"
    assert "refused" in (await resolvers.ask("127.0.0.1", "k3.example.com", port=port)).fault


@pytest.mark.parametrize(
    ("answer", "verdict", "evidence"),
    [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\n404 page not found",
            Verdict.OK,
            "answers '404 page not found'",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
            Verdict.FAILED,
            "answers 200 with '<html>' in the place of '404 page not found'",
        ),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Verdict.FAILED, "answers 404 with 'nothing'"),
    ],
)
async def test_at_the_root_of_the_gateways_name_nothing_is_found(
    tmp_path: Path, answer: str, verdict: Verdict, evidence: str
) -> None:
    async with serving(saying(answer)) as port, httpx.AsyncClient() as client:
        one = an_examination(tmp_path, f"http://127.0.0.1:{port}/d4f2", expect_private=True)
        one.http = client
        (result,) = [each async for each in route.at_the_root(one)]
    assert result.verdict is verdict and evidence in result.evidence
    assert f"http://127.0.0.1:{port}/ " in result.evidence


async def test_a_port_nobody_listens_on_is_a_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    one = an_examination(tmp_path, f"http://127.0.0.1:{port}")
    result = (await results(connection, one))["tcp"]
    assert result.verdict is Verdict.FAILED and f"127.0.0.1:{port}" in result.evidence
    later = await results(plane_check, one)
    assert {each.verdict for each in later.values()} == {Verdict.SKIPPED}


async def test_a_port_that_answers_is_well(tmp_path: Path) -> None:
    async with serving(says_nothing) as port:
        assert (await results(connection, an_examination(tmp_path, f"http://127.0.0.1:{port}")))[
            "tcp"
        ].verdict is Verdict.OK


async def test_of_several_addresses_those_that_do_not_answer_are_named(tmp_path: Path) -> None:
    async with serving(says_nothing) as port:
        one = an_examination(tmp_path, f"http://localhost:{port}")
        one.addresses = ("127.0.0.2", "127.0.0.1")
        result = (await results(connection, one))["tcp"]
    assert result.verdict is Verdict.WARNING and "answers at 127.0.0.1 in " in result.evidence
    assert (
        "127.0.0.2: Connect call failed" in result.evidence
        or "127.0.0.2: Connection refused" in result.evidence
    )
    assert result.remedy.startswith("Agents use the other addresses")
    assert one.reachable and one.target == "127.0.0.1"


@pytest.mark.parametrize(
    ("answer", "verdict", "evidence", "remedy"),
    [
        ("HTTP/1.1 200 OK\r\n\r\n", Verdict.OK, "opens a way", ""),
        ("HTTP/1.1 407 Ask\r\n\r\n", Verdict.FAILED, "answers 407 to CONNECT", "user and password"),
        ("HTTP/1.1 403 No\r\n\r\n", Verdict.FAILED, "answers 403 to CONNECT", "allow CONNECT"),
        ("SSH-2.0\r\n", Verdict.FAILED, "is not an HTTP proxy", "HTTPS_PROXY"),
    ],
)
async def test_a_proxy_is_asked_for_a_way_to_the_plane(
    tmp_path: Path, answer: str, verdict: Verdict, evidence: str, remedy: str
) -> None:
    async with serving(saying(answer)) as port:
        one = an_examination(tmp_path, "https://plane.test", proxy=f"http://ada:SECRET@127.0.0.1:{port}")
        result = (await results(proxies, one))["proxy"]
    assert result.verdict is verdict and evidence in result.evidence and remedy in result.remedy
    assert "SECRET" not in result.evidence + result.remedy


async def test_a_silent_proxy_is_not_waited_for_long(tmp_path: Path) -> None:
    async with serving(says_nothing) as port:
        one = an_examination(tmp_path, "https://plane.test", proxy=f"http://127.0.0.1:{port}", patience=0.05)
        result = (await results(proxies, one))["proxy"]
    assert result.verdict is Verdict.FAILED and "no answer in time" in result.evidence


async def test_the_environments_proxy_and_its_exceptions_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "inside.test")
    assert proxy.of("https://plane.test", None) == "http://proxy.test:3128"
    assert proxy.of("https://inside.test", None) is None


# ---- idle connections, packets of full size


async def answering_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What follows the first request is lost."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
    while await reader.read(1000):
        pass
    writer.close()


async def ending_when_idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers, and hangs up after 0.3 s without a request."""
    try:
        while await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 0.3):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
    except (asyncio.TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def answering_always(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


@pytest.mark.parametrize(
    ("answer", "verdict", "evidence"),
    [
        (answering_always, Verdict.OK, "lives for 0.8 s and longer"),
        (
            ending_when_idle,
            Verdict.OK,
            "the other side ends a connection without traffic after 0 s and says so",
        ),
        (answering_once, Verdict.FAILED, "dropped in silence before 0.1 s"),
    ],
)
async def test_a_connection_without_traffic_is_measured_when_asked_for(
    tmp_path: Path, answer: Serve, verdict: Verdict, evidence: str
) -> None:
    async with serving(answer) as port:
        one = an_examination(tmp_path, f"http://127.0.0.1:{port}", long=0.8, patience=0.2)
        (result,) = (await results(idle, one)).values()
    assert result.verdict is verdict and evidence in result.evidence
    assert await results(idle, an_examination(tmp_path)) == {}


def test_a_drop_that_only_unused_connections_feel_is_a_warning() -> None:
    seen = [idle._Seen(180, alive=True), idle._Seen(240, alive=False), idle._Seen(300, alive=False)]
    result = idle._judged(seen, 300)
    assert result.verdict is Verdict.WARNING and "dropped in silence after 180 to 240 s" in result.evidence


async def test_a_request_of_several_packets_is_sent_when_the_way_is_private(tmp_path: Path) -> None:
    async with serving(answering_always) as port:
        one = an_examination(tmp_path, f"http://127.0.0.1:{port}", expect_private=True)
        one.answering = "127.0.0.1"
        assert "packets of full size is answered" in (await results(mtu, one))["mtu"].evidence
    async with serving(says_nothing) as port:
        one = an_examination(tmp_path, f"http://127.0.0.1:{port}", expect_private=True, patience=0.05)
        one.answering = "127.0.0.1"
        assert (await results(mtu, one))["mtu"].verdict is Verdict.SKIPPED
    assert await results(mtu, an_examination(tmp_path)) == {}


# ---- TLS

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate of 127.0.0.1, with its key in one file."""
    made = tmp_path / "plane.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/O=Test Authority/CN=127.0.0.1"]
    command += ["-days", "2", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    made.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())
    return made


def side(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@needs_openssl
async def test_a_certificate_of_an_unknown_authority_says_what_to_set(
    tmp_path: Path, certificate: Path
) -> None:
    async with serving(says_nothing, ssl=side(certificate)) as port:
        one = an_examination(tmp_path, f"https://127.0.0.1:{port}")
        result = (await results(certificates, one))["tls"]
    assert result.verdict is Verdict.FAILED and "self-signed certificate" in result.evidence
    assert "it was issued by Test Authority" in result.evidence
    assert "ca_file" in result.remedy and not one.reachable


@needs_openssl
async def test_a_certificate_for_another_name_is_told_from_an_untrusted_one(
    tmp_path: Path, certificate: Path
) -> None:
    async with serving(says_nothing, ssl=side(certificate)) as port:
        one = an_examination(tmp_path, f"https://localhost:{port}", ca_file=tmp_path / "cert.pem")
        result = (await results(certificates, one))["tls"]
    assert result.verdict is Verdict.FAILED and "is for another name" in result.evidence
    assert "it is for 127.0.0.1, issued by Test Authority" in result.evidence
    assert "private zone" in result.remedy


@needs_openssl
@pytest.mark.parametrize(
    ("alert", "evidence"),
    [
        (ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME, "has no certificate for localhost"),
        (
            ssl.ALERT_DESCRIPTION_INTERNAL_ERROR,
            "'internal error': a gateway that has no certificate for localhost",
        ),
        (
            ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE,
            "'handshake failure': a gateway that has no certificate for",
        ),
    ],
)
async def test_a_gateway_without_a_certificate_for_the_name_is_named(
    tmp_path: Path, certificate: Path, alert: ssl.AlertDescription, evidence: str
) -> None:
    gateway = side(certificate)
    gateway.sni_callback = lambda *_: alert

    def refuses() -> None:  # asyncio's server would hang up before it has sent the alert
        with listener.accept()[0] as taken, suppress(ssl.SSLError):
            gateway.wrap_socket(taken, server_side=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = an_examination(
            tmp_path, f"https://localhost:{listener.getsockname()[1]}", ca_file=tmp_path / "cert.pem"
        )
        refusing = asyncio.ensure_future(asyncio.to_thread(refuses))
        result = (await results(certificates, one))["tls"]
        await refusing
    assert result.verdict is Verdict.FAILED and evidence in result.evidence
    assert "another cluster's endpoint" in result.remedy and "https address" not in result.remedy


@needs_openssl
async def test_a_certificate_that_ends_soon_is_a_warning(tmp_path: Path, certificate: Path) -> None:
    async with serving(says_nothing, ssl=side(certificate)) as port:
        one = an_examination(tmp_path, f"https://127.0.0.1:{port}", ca_file=tmp_path / "cert.pem")
        result = (await results(certificates, one))["tls"]
    assert result.verdict is Verdict.WARNING and "by Test Authority, good for 2 days" in result.evidence


@needs_openssl
async def test_a_connection_that_is_reset_in_tls_says_so(tmp_path: Path, certificate: Path) -> None:
    gateway = side(certificate)
    gateway.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
    async with serving(says_nothing, ssl=gateway) as port:  # hangs up before it has sent the alert
        result = (await results(certificates, an_examination(tmp_path, f"https://localhost:{port}")))["tls"]
    assert result.verdict is Verdict.FAILED and "ConnectionResetError" in result.evidence
    assert "PROXY protocol" in result.remedy


async def test_plain_http_under_https_is_a_failure(tmp_path: Path) -> None:
    async with serving(saying("HTTP/1.1 400 Bad\r\n\r\n")) as port:
        result = (
            await results(certificates, an_examination(tmp_path, f"https://127.0.0.1:{port}", patience=2))
        )["tls"]
    assert result.verdict is Verdict.FAILED and "https address" in result.remedy


async def test_an_authority_file_that_is_none_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    one = an_examination(tmp_path, "https://127.0.0.1:1", ca_file=tmp_path / "ca.pem")
    assert "ca.pem cannot be used" in (await results(certificates, one))["tls"].evidence


async def test_plain_http_to_another_machine_is_a_warning(tmp_path: Path) -> None:
    result = (await results(certificates, an_examination(tmp_path, "http://plane.test")))["tls"]
    assert result.verdict is Verdict.WARNING


# ---- the plane


async def examined(one: Examination) -> dict[str, Result]:
    async with httpx.AsyncClient(base_url=one.settings.plane_url) as one.http:
        return await results(plane_check, one)


async def test_a_plane_that_takes_the_token_is_well_in_every_respect(
    tmp_path: Path, plane: FakePlane
) -> None:
    async with fake_plane(plane) as url:
        one = an_examination(tmp_path, url, token=plane.token)
        found = await examined(one)
    assert {each.verdict for each in found.values()} == {Verdict.OK}, found
    assert list(found) == ["plane", "clock", "token", "deployment", "allow-list", "versions"]
    assert plane.token not in str(found) and "which does not expire" in found["token"].evidence
    assert plane.sessions == [], "no session was opened"


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\n\r\n404 page not found",
            "there is no Remote Execution",
        ),
        ("HTTP/1.1 302 Found\r\nlocation: https://login.test/\r\n\r\n", "a sign-in page"),
        ("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>", "where a plane answers JSON"),
        ("HTTP/1.1 503 Away\r\n\r\n", "answered 503 for the plane"),
    ],
)
async def test_whatever_else_answers_is_told_from_a_plane(tmp_path: Path, answer: str, evidence: str) -> None:
    async with serving(saying(answer)) as port:
        found = await examined(an_examination(tmp_path, f"http://127.0.0.1:{port}"))
    assert found["plane"].verdict is Verdict.FAILED and evidence in found["plane"].evidence
    assert {found[name].verdict for name in ("token", "versions")} == {Verdict.SKIPPED}


@pytest.mark.parametrize(
    ("code", "check"),
    [
        (Code.ADDRESS_NOT_ALLOWED, "allow-list"),
        (Code.TOKEN_UNKNOWN, "token"),
        (Code.TOKEN_EXPIRED, "token"),
        (Code.TOKEN_DELETED, "token"),
        (Code.RATE_LIMITED, "token"),
        (Code.WRONG_DEPLOYMENT, "deployment"),
        (Code.VERSION_SKEW, "versions"),
    ],
)
async def test_each_refusal_fails_the_check_it_belongs_to(
    tmp_path: Path, plane: FakePlane, code: Code, check: str
) -> None:
    plane.refuse = lambda path: Refused(code, "the plane's own words", remedy="its remedy")
    async with fake_plane(plane) as url:
        found = await examined(an_examination(tmp_path, url))
    bad = [each for each in found.values() if each.verdict is Verdict.FAILED]
    assert [each.check for each in bad] == [check]
    assert list(found) == ["plane", "clock", "token", "deployment", "allow-list", "versions"]
    assert (found["allow-list"].verdict is Verdict.OK) == (check != "allow-list")
    assert bad[0].evidence == f"the plane's own words ({code.value})" and bad[0].remedy == "its remedy"


async def test_a_token_that_ends_soon_is_a_warning(tmp_path: Path, plane: FakePlane) -> None:
    plane.token_expires_at = datetime.now(timezone.utc) + timedelta(days=3)
    async with fake_plane(plane) as url:
        found = await examined(an_examination(tmp_path, url, token=plane.token))
    assert found["token"].verdict is Verdict.WARNING and "expires in 3.0 days" in found["token"].evidence


async def test_a_token_file_that_is_not_there_or_holds_something_else_is_a_failure(
    tmp_path: Path, plane: FakePlane
) -> None:
    async with fake_plane(plane) as url:
        for text in (None, "not a token"):
            file = tmp_path / "token"
            if text:
                file.write_text(text)
            found = await examined(an_examination(tmp_path, url, token=None, token_file=file))
            assert found["token"].verdict is Verdict.FAILED and str(file) in found["token"].evidence


@pytest.mark.parametrize(("off", "how"), [(300, "behind"), (-300, "ahead of")])
async def test_a_wrong_clock_is_a_failure(tmp_path: Path, off: int, how: str) -> None:
    at = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=off), usegmt=True)
    body = json.dumps({"error": "token_unknown", "message": "no such token"})
    head = f"HTTP/1.1 401 No\r\ndate: {at}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    async with serving(saying(head + body)) as port:
        found = await examined(an_examination(tmp_path, f"http://127.0.0.1:{port}"))
    assert found["clock"].verdict is Verdict.FAILED and how in found["clock"].evidence
    assert "NTP" in found["clock"].remedy


# ---- this machine


def interpreter(tmp_path: Path, script: str) -> Path:
    made = tmp_path / "python"
    made.write_text(f"#!/bin/sh\n{script}\n")
    made.chmod(0o755)
    return made


@pytest.mark.parametrize(
    ("script", "evidence", "remedy"),
    [
        (
            "echo 'No module named tradewind_runtime' >&2; exit 1",
            "No module named",
            "pip install tradewind-runtime",
        ),
        ("exit 7", "exit status 7", "by hand"),
        ("exec sleep 60", "did not finish in 0.3 s", "py-spy"),
    ],
)
async def test_an_environment_that_cannot_look_at_itself_says_why(
    tmp_path: Path, script: str, evidence: str, remedy: str
) -> None:
    patience = 0.3 if "sleep" in script else 30.0
    one = an_examination(tmp_path, interpreter=interpreter(tmp_path, script), environment_patience=patience)
    result = (await results(environments, one))["environment:default"]
    assert result.verdict is Verdict.FAILED and evidence in result.evidence and remedy in result.remedy


@pytest.mark.parametrize(("allowed", "held"), [(Policy.STRICT, "strict"), (Policy.OPEN, "open")])
async def test_an_environment_is_examined_under_the_policy_that_the_plane_gives_the_site(
    tmp_path: Path, allowed: Policy, held: str
) -> None:
    asked = tmp_path / "asked.json"
    one = an_examination(tmp_path, interpreter=interpreter(tmp_path, f"cat > {asked}"), policy="open")
    one.about = AboutToken(deployment="d", token="t", policy=allowed)
    await results(environments, one)
    configure = json.loads(asked.read_text())
    assert [configure[name] for name in ("policy", "xcom", "store")] == [held] * 3


async def test_an_interpreter_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    result = (await results(environments, an_examination(tmp_path, interpreter=tmp_path / "no")))[
        "environment:default"
    ]
    assert result.verdict is Verdict.FAILED and "No such file" in result.evidence


async def test_an_environment_with_another_airflow_than_the_planes_is_a_failure(tmp_path: Path) -> None:
    said = {"check": "environment", "verdict": "ok", "evidence": "Airflow 3.1.0", "airflow": "3.1.0"}
    one = an_examination(
        tmp_path, interpreter=interpreter(tmp_path, f"echo 'tradewind-doctor {json.dumps(said)}'")
    )
    one.about = AboutToken(deployment="d", token="t", airflow_version="3.3.2")
    result = (await results(environments, one))["environment:default"]
    assert result.verdict is Verdict.FAILED and "3.3.x" in result.remedy


async def test_a_state_directory_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    result = (await results(disk, an_examination(tmp_path, state_dir=Path("/proc/nowhere"))))["disk"]
    assert result.verdict is Verdict.FAILED and "cannot be written" in result.evidence


async def test_a_full_disk_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert (await results(disk, an_examination(tmp_path)))["disk"].verdict is Verdict.FAILED


@pytest.mark.parametrize("there", [True, False])
async def test_the_doctor_warns_of_no_directory_that_it_made_or_found_empty(
    tmp_path: Path, there: bool
) -> None:
    if there:
        (tmp_path / "state").mkdir(mode=0o755)
    assert (await results(disk, an_examination(tmp_path)))["disk"].verdict is Verdict.OK
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


async def test_others_that_can_enter_the_state_directory_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state" / "somebody's").touch()
    one = an_examination(tmp_path)
    assert "chmod go= " in (await results(disk, one))["disk"].remedy
    (tmp_path / "state").chmod(stat.S_IRWXU)
    assert (await results(disk, one))["disk"].verdict is Verdict.OK


async def test_what_waits_too_long_in_the_outbox_is_a_warning(tmp_path: Path) -> None:
    one = an_examination(tmp_path)
    assert (await results(outbox, one))["outbox"].evidence == "nothing was ever kept"
    with Outbox(tmp_path / "state" / "outbox.sqlite", now=lambda: time.time() - 600) as kept:
        kept.put(kind="finish", attempt_id=uuid4(), epoch=1, method="POST", path="/x", body=b"")
        result = (await results(outbox, one))["outbox"]
    assert result.verdict is Verdict.WARNING and "1 requests wait" in result.evidence


async def test_an_outbox_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "outbox.sqlite").write_text("this is no database, whatever it is named" * 100)
    assert (await results(outbox, an_examination(tmp_path)))["outbox"].verdict is Verdict.FAILED


async def test_a_port_somebody_else_has_is_a_warning_and_ones_own_is_not(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one = an_examination(tmp_path, metrics_port=taken.getsockname()[1])
        assert (await results(ports, one))["port"].verdict is Verdict.WARNING
        one.running = True
        assert (await results(ports, one))["port"].verdict is Verdict.OK
    assert (await results(ports, one))["port"].verdict is Verdict.OK
    assert (await results(ports, an_examination(tmp_path)))["port"].verdict is Verdict.SKIPPED


# ---- the command


def test_the_command_ends_with_78_when_the_settings_are_wrong(tmp_path: Path) -> None:
    told = CliRunner().invoke(main, ["doctor", "--plane-url", "ftp://x", "--output", "json"])
    assert told.exit_code == 78
    said = json.loads(told.stdout)
    assert said["verdict"] == "failed" and said["checks"][0]["check"] == "settings"


def test_the_command_ends_with_1_when_something_fails_and_says_the_same_in_json(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(FakePlane().token)
    (tmp_path / "token").chmod(0o600)
    python = interpreter(tmp_path, "exit 7")
    command = ["doctor", "--plane-url", "http://127.0.0.1:1", "--token-file", str(tmp_path / "token")]
    command += ["--state-dir", str(tmp_path / "state"), "--interpreter", str(python), "--metrics-port", "0"]
    text, said = CliRunner().invoke(main, command), CliRunner().invoke(main, [*command, "--output", "json"])
    assert (text.exit_code, said.exit_code) == (1, 1)
    checks = {each["check"]: each for each in json.loads(said.stdout)["checks"]}
    assert checks["tcp"]["verdict"] == "failed" and checks["tcp"]["remedy"]
    for check in checks:
        assert check in text.stdout


def test_warnings_alone_do_not_fail() -> None:
    only = [Result("a", Verdict.OK, ""), Result("b", Verdict.WARNING, ""), Result("c", Verdict.SKIPPED, "")]
    assert examination.overall(only) is Verdict.WARNING
    assert examination.overall([*only, Result("d", Verdict.FAILED, "")]) is Verdict.FAILED


@pytest.mark.timeout(120)
async def test_a_real_environment_shows_what_is_broken_in_it(tmp_path: Path) -> None:
    """One look at a real Airflow with a broken bundle, a broken secrets backend and a storage that refuses."""
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "one.py").touch()
    (tmp_path / "broken_backend.py").write_text(
        "from airflow.sdk.bases.secrets_backend import BaseSecretsBackend\n"
        "class Backend(BaseSecretsBackend):\n"
        "    def get_connection(self, conn_id, team_name=None): raise OSError('the vault is sealed')\n"
    )
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    one = an_examination(
        tmp_path,
        bundles=[
            {"name": "here", "classpath": local, "kwargs": {"path": str(tmp_path / "dags")}},
            {"name": "gone", "classpath": local, "kwargs": {"path": str(tmp_path / "gone")}},
        ],
        environments=[
            {
                "name": "main",
                "interpreter": sys.executable,
                "env": {
                    "PYTHONPATH": str(tmp_path),
                    "AIRFLOW__SECRETS__BACKEND": "broken_backend.Backend",
                    "AIRFLOW__WORKERS__SECRETS_BACKEND": "broken_backend.Backend",
                    "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": "file:///proc/nowhere",
                },
            }
        ],
    )
    found = await results(environments, one)
    assert found["environment:main"].verdict is Verdict.OK, found["environment:main"]
    assert found["bundle:here"].verdict is Verdict.OK and "1 Python files" in found["bundle:here"].evidence
    for check in ("bundle:gone", "secrets:main", "xcom:main"):
        assert found[check].verdict is Verdict.FAILED, found[check]
        assert found[check].remedy
    assert "the vault is sealed" in found["secrets:main"].evidence


READ, FILES = "read as a task reads: ", "LocalFilesystemBackend"


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("read", "evidence"),
    [
        (
            BackendReads(),
            f"{READ}connection site_only (generic) from {FILES}, variable site_only from {FILES}",
        ),
        (
            BackendReads(("site_only",), ("site_only",)),
            f"{READ}connection site_only (generic) from {FILES}",
        ),
        (
            BackendReads(("no_such",)),
            f"connection 'no_such' cannot be read by a task: it is in none of {FILES}, EnvironmentVariablesBackend",
        ),
    ],
)
async def test_what_a_secrets_backend_has_is_read_as_a_task_reads_it(
    tmp_path: Path, read: BackendReads, evidence: str
) -> None:
    environment = {"name": "main", "interpreter": sys.executable, "env": local_files(tmp_path)}
    one = an_examination(tmp_path, environments=[environment])
    one.read = read
    found = (await results(environments, one))["secrets:main"]
    assert evidence in found.evidence
    assert found.verdict is (Verdict.FAILED if "no_such" in evidence else Verdict.OK)


async def test_what_the_running_agent_says_is_wrong_is_repeated(tmp_path: Path) -> None:
    one = an_examination(tmp_path)
    assert (await results(running, one))["agent"].verdict is Verdict.SKIPPED
    (tmp_path / "state").mkdir()
    said = {"check": "bundle:main", "message": "it is another's", "remedy": "name it differently"}
    document = {"agent": {"pid": os.getpid()}, "findings": [said]}
    status.write(tmp_path / "state", document)
    one.running = True
    found = (await results(running, one))["agent"]
    assert found.verdict is Verdict.WARNING
    assert (found.evidence, found.remedy) == ("it is another's [bundle:main]", "name it differently")
    status.write(tmp_path / "state", {**document, "findings": []})
    assert (await results(running, one))["agent"].verdict is Verdict.OK


def test_what_git_said_in_several_lines_stays_in_its_column() -> None:
    shown = examination.line(failed("bundle:dags", "cannot be fetched:\nfatal: no such host", "Check it"))
    assert shown.splitlines() == [
        "FAIL  bundle:dags             cannot be fetched:",
        " " * 30 + "fatal: no such host",
        " " * 30 + "→ Check it",
    ]
