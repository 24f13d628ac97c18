"""The controller's own port: probes and metrics, without a credential."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from tradewind_platform.controller import status as statuses
from tradewind_platform.controller.status import ControllerStatus
from tradewind_protocol import prometheus

_PLAIN = "text/plain; charset=utf-8"


@contextmanager
def serving(status: ControllerStatus, host: str, port: int) -> Iterator[int]:
    """Answer at that address inside; the port that is taken, also for port 0. Raises OSError where it cannot be taken."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, kind, text = answer(status, self.path)
            body = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """A probe is no news."""

    server, ending = _Server(host, port, Answers), threading.Event()

    def serve() -> None:
        while not ending.is_set():  # it wakes for a request only
            server.handle_request()

    thread = threading.Thread(target=serve, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        ending.set()
        server.socket.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """Without an address it listens on all of them, of both versions of IP."""

    daemon_threads = True

    def __init__(self, host: str, port: int, answers: type[BaseHTTPRequestHandler]) -> None:
        everywhere = not host and socket.has_dualstack_ipv6()
        self.address_family = socket.AF_INET6 if everywhere or ":" in host else socket.AF_INET
        super().__init__((host, port), answers)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6 and not self.server_address[0]:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        TCPServer.server_bind(self)  # the one between asks DNS for a name
        self.server_name, self.server_port = "", self.server_address[1]


def answer(status: ControllerStatus, path: str) -> tuple[int, str, str]:
    """Status, content type and body of the answer to a request."""
    if path == "/healthz":
        return (503 if status.not_alive else 200), _PLAIN, f"{status.not_alive or 'ok'}\n"
    if path == "/readyz":
        return (503 if status.not_ready else 200), _PLAIN, f"{status.not_ready or 'ready'}\n"
    if path == "/metrics":
        return 200, prometheus.CONTENT_TYPE, statuses.text(status)
    return 404, _PLAIN, "there are /healthz, /readyz and /metrics\n"
