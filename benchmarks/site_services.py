"""`python -m benchmarks.site_services`: the object store and the StatsD server of a realistic site, in a process of its own.

It is as cheap as possible: a real site's are on other machines, so what they cost is not the executors'. The first line of
its output is JSON with both ports. `GET /` answers with the numbers of objects stored and metric packets received.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ObjectStore(ThreadingHTTPServer):
    """The part of S3 that remote task logs use: put an object, read it, ask for it. Objects are kept in memory."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.objects: dict[str, bytes] = {}
        self.counts = Counter[str](objects=0, packets=0)


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ObjectStore

    def do_PUT(self) -> None:
        self.server.objects[self.path] = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.counts["objects"] += 1
        self._answer(200)

    def do_HEAD(self) -> None:
        self._answer(200 if self.path in self.server.objects else 404)

    def do_GET(self) -> None:
        if self.path == "/":
            self._answer(200, json.dumps(self.server.counts).encode())
        elif (found := self.server.objects.get(self.path)) is not None:
            self._answer(200, found)
        else:
            self._answer(404)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("ETag", '"0"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Requests are counted, not logged."""


def _receive(metrics: socket.socket, counts: Counter[str]) -> None:
    while True:
        metrics.recv(65536)
        counts["packets"] += 1


def main() -> None:
    store = ObjectStore()
    metrics = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    metrics.bind(("127.0.0.1", 0))
    threading.Thread(target=_receive, args=(metrics, store.counts), daemon=True).start()
    sys.stdout.write(json.dumps({"store": store.server_port, "statsd": metrics.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    store.serve_forever()


if __name__ == "__main__":
    main()
