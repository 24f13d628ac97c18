"""A supervisor's connection to the gateway: what httpx's own transport would answer and raise, on one connection."""

from __future__ import annotations

import select
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tradewind_runtime import gateway_client
from tradewind_runtime.accelerators.own_http_client import GatewayConnection

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Gateway:
    """Answers each request with the bytes that are next, however wrong; an empty answer closes the connection."""

    def __init__(self, path: str) -> None:
        self.path, self.asked, self.connections = path, list[bytes](), 0
        self.answers: list[list[bytes]] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            with connection, suppress(OSError):
                while self._one(connection):
                    pass

    def _one(self, connection: socket.socket) -> bool:
        request = b""
        while b"\r\n\r\n" not in request:
            if not (part := connection.recv(65536)):
                return False
            request += part
        head, _, body = request.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        self.asked.append(head + b"\r\n\r\n" + body)
        parts = self.answers.pop(0) if self.answers else [OK]
        for part in parts:
            if not part:
                return False
            connection.sendall(part)
        return True

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with tempfile.TemporaryDirectory(prefix="tw-") as directory:
        gateway = Gateway(str(Path(directory) / "s"))
        yield gateway
        gateway.close()


def pooled(path: str) -> httpx.BaseTransport:
    return gateway_client.transport(path)


both = pytest.mark.parametrize("transport", [GatewayConnection, pooled], ids=["ours", "httpx's"])
Transport = Callable[[str], httpx.BaseTransport]


def client(transport: httpx.BaseTransport) -> httpx.Client:
    return httpx.Client(
        transport=transport, base_url="http://gateway/execution/", trust_env=False, timeout=5.0
    )


@both
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nX-A: 2\r\n\r\n{}"], (200, b"{}", "1, 2")),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], (204, b"", None)),
        (
            [b"HTTP/1.1 409 Conflict\r\ncontent-length: 1", b"0\r\n", b"\r\n01234", b"56789"],
            (409, b"0123456789", None),
        ),
        (
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"1\r\nd\r\n0\r\n\r\n"],
            (200, b"abcd", None),
        ),
        (
            [b"HTTP/1.1 100 Continue\r\nX-A: no\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"],
            (201, b"", None),
        ),
        ([b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b""], (200, b"until the end", None)),
    ],
    ids=["length", "no body", "in parts", "chunked", "after a continue", "until its end"],
)
def test_every_kind_of_answer_is_read_whole(gateway: Gateway, transport: Transport, answer, expected):
    gateway.answers = [answer, [OK]]
    with client(transport(gateway.path)) as asking:
        said = asking.patch("a/b?c=d%20e", json={"x": "é" * 40_000}, headers={"x-y": "z"})
        assert (said.status_code, said.content, said.headers.get("x-a")) == expected
        assert asking.get("next").content == b"ok"
    first = gateway.asked[0]
    assert first.startswith(b"PATCH /execution/a/b?c=d%20e HTTP/1.1\r\nHost: gateway\r\n")
    assert b"\r\nx-y: z\r\n" in first and first.endswith(("é" * 40_000 + '"}').encode())


@both
@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ([b""], httpx.RemoteProtocolError),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234", b""], httpx.RemoteProtocolError),
        ([b"what is this\r\n\r\n", b""], httpx.RemoteProtocolError),
    ],
    ids=["nothing", "half of it", "no HTTP"],
)
def test_no_answer_and_half_an_answer_raise_what_is_tried_again(
    gateway: Gateway, transport: Transport, answer, raised
):
    gateway.answers = [answer]
    with client(transport(gateway.path)) as asking:
        with pytest.raises(raised):
            asking.get("a")
        assert asking.get("b").content == b"ok", "on a new connection"
    assert len(gateway.asked) == 2, "nothing is asked twice by itself"


@both
def test_who_does_not_answer_in_time_and_who_is_not_there_are_told_apart(
    gateway: Gateway, transport: Transport
):
    gateway.answers = [[b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"]]  # and no more
    with client(transport(gateway.path)) as asking:
        with pytest.raises(httpx.ReadTimeout):
            asking.get("a", timeout=0.05)
    with client(transport(gateway.path + "-nobody")) as asking, pytest.raises(httpx.ConnectError):
        asking.get("a")


def test_one_connection_serves_one_request_after_the_other_until_it_is_closed(gateway: Gateway):
    connection = GatewayConnection(gateway.path)
    asking = client(connection)
    for _ in range(3):
        asking.get("a")
    assert gateway.connections == 1
    connection.close()
    asking.get("a")
    assert gateway.connections == 2


def test_a_connection_the_gateway_has_ended_meanwhile_is_not_asked_on(gateway: Gateway):
    gateway.answers = [[b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""]]
    connection = GatewayConnection(gateway.path)
    with client(connection) as asking:
        asking.get("a")
        select.select([connection._socket], [], [], 5.0)  # its end has arrived
        assert asking.get("b").content == b"ok"


def test_an_answer_with_headers_without_end_is_refused(gateway: Gateway):
    gateway.answers = [[b"HTTP/1.1 200 OK\r\n", b"X-Much: and more\r\n" * 20_000]]
    with client(GatewayConnection(gateway.path)) as asking, pytest.raises(httpx.RemoteProtocolError):
        asking.get("a")
