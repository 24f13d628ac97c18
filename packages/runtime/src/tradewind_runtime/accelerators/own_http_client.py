"""httpx's transport to the gateway for one thread: one connection, kept open.

A supervisor is one of many and asks little. httpx's own transport, a pool on h11, was a fifth of all that a supervisor does
for a task that does nothing, and a tenth (1 MB) of the memory it writes to.
"""

from __future__ import annotations

import select
import socket

import httptools
import httpx

from tradewind_runtime import gateway_client

_MOST_HEADERS = 100_000  # bytes; the gateway sends a few hundred


class OwnHttpClient:
    """The accelerator: has the client of Airflow's Execution API speak through a `GatewayConnection`."""

    name = "own_http_client"

    def __init__(self) -> None:
        self._installed = False

    def applies(self) -> str | None:
        return None

    def install(self) -> None:
        self._installed = True

    def transport(self, path: str) -> httpx.BaseTransport:
        """A transport over the unix socket at `path`, for one thread."""
        return GatewayConnection(path) if self._installed else gateway_client.transport(path, connections=1)


class GatewayConnection(httpx.BaseTransport):
    """Asks over the unix socket at `path`; not for several threads. After `close` it opens a new connection when it is
    asked again. Like httpx's own it never repeats a request, and raises what that one raises."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._socket: socket.socket | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions.get("timeout", {})
        content = b"".join(request.stream)  # type: ignore[arg-type]
        lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
        lines += [b"%b: %b" % header for header in request.headers.raw]
        connection = self._connection(timeouts.get("connect"))
        answer = _Answer()
        try:
            connection.settimeout(timeouts.get("write"))
            connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + content)
            connection.settimeout(timeouts.get("read"))
            while not answer.whole:
                answer.feed(connection.recv(65536))
        except TimeoutError as problem:
            self.close()
            raise httpx.ReadTimeout(f"no answer from {self._path} in time", request=request) from problem
        except OSError as problem:
            self.close()
            raise httpx.ReadError(f"{self._path}: {problem}", request=request) from problem
        except (httptools.HttpParserError, ValueError) as problem:
            self.close()
            raise httpx.RemoteProtocolError(f"{self._path}: {problem}", request=request) from problem
        except BaseException:  # an answer that nobody reads would be taken for the next one's
            self.close()
            raise
        if not answer.keeps:
            self.close()
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=httpx.ByteStream(b"".join(answer.body)),
            extensions={"http_version": b"HTTP/1.1"},
        )

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connection(self, timeout: float | None) -> socket.socket:
        if self._socket is not None:
            # What is readable before anything was asked is the end of it.
            poller = select.poll()
            poller.register(self._socket, select.POLLIN)
            if not poller.poll(0):
                return self._socket
            self.close()
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(timeout)
            connection.connect(self._path)
        except TimeoutError as problem:
            connection.close()
            raise httpx.ConnectTimeout(f"{self._path}: not answered in time") from problem
        except OSError as problem:
            connection.close()
            raise httpx.ConnectError(f"{self._path}: {problem}") from problem
        self._socket = connection
        return connection


class _Answer:
    """An answer while it comes in: what httptools finds."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: list[bytes] = []
        self.whole = False
        self.keeps = False
        self._size = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Raises ValueError and what httptools raises for what is no answer, or not a whole one."""
        if data:
            self._parser.feed_data(data)
        elif self.status and not {name.lower() for name, _ in self.headers} & {
            b"content-length",
            b"transfer-encoding",
        }:
            self.whole = True  # one without a length ends with its connection
        else:
            raise ValueError("the other side closed the connection before the answer was there")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._size += len(name) + len(value)
        if self._size > _MOST_HEADERS:
            raise ValueError("too many headers")
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.status, self.keeps = status, self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        if self.status:
            self.whole = True
        else:
            self.headers.clear()  # 1xx: the answer proper is still to come
