"""A server that takes what is posted to it, for tests of what a plane or a site sends."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import Self


class HttpSink:
    """Serves on a free loopback port inside `with`. Subclasses say what becomes of a body."""

    def __init__(self) -> None:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                status = sink.take(self.path, self.headers, body)
                content = sink.answer(self.path, body)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer. `headers` are looked up in any case; `body` is unpacked. Called in threads."""
        raise NotImplementedError

    def answer(self, path: str, body: bytes) -> bytes:
        """What is answered; nothing, unless a subclass has JSON to say."""
        return b""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
