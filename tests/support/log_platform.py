"""A log platform with the bulk API of Elasticsearch and OpenSearch: keeps each document under its id."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class LogPlatform:
    """Serves on a free loopback port inside `with`. `leave` closes the port, `return_` opens it again."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.received = 0
        platform = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer({"status": "green"})

            do_HEAD = do_GET

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                self._answer(platform._take(body.decode()))

            def _answer(self, body: Any) -> None:
                content = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._handler = Handler
        self.port = 0
        self._listen()
        self.port = self._server.server_address[1]

    def __enter__(self) -> LogPlatform:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Refuse connections. Idempotent."""
        self._server.shutdown()
        self._server.server_close()

    def return_(self) -> None:
        """Accept connections again, at the same port."""
        self._listen()

    def _listen(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _take(self, body: str) -> dict[str, Any]:
        lines = [json.loads(line) for line in body.splitlines() if line]
        items = []
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            [(verb, about)] = action.items()
            known = about["_id"] in self.documents
            self.documents.setdefault(about["_id"], document)
            self.received += 1
            status = 409 if known else 201
            items.append({verb: {"_index": about["_index"], "_id": about["_id"], "status": status}})
        return {"took": 1, "errors": any(each["create"]["status"] == 409 for each in items), "items": items}
