"""What the doctor looks at between the agent and the plane, healthy and broken: verdict, evidence and remedy."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from doctor_kit import Serve, an_examination, results, saying, says_nothing, serving

from tradewind_agent.doctor import (
    certificates,
    connection,
    idle,
    mtu,
    names,
    proxies,
    resolvers,
    route,
)
from tradewind_agent.doctor import plane as plane_check
from tradewind_agent.plane import proxy
from tradewind_protocol.checks import Verdict

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
    assert result.verdict is Verdict.WARNING and "by Test Authority, valid for 2 days" in result.evidence


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
