"""A refusal on its way from the agent's gateway to a host, as the gateway writes it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from tradewind_protocol.boundary import Rejection
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.messages import Message
from tradewind_runtime.gateway_client import Gateway

REFUSE = Rejection(Code.UNAVAILABLE, "the plane cannot be reached", "wait for it")


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(REFUSE.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(REFUSE.body)))
        self.end_headers()
        self.wfile.write(REFUSE.body)

    def address_string(self) -> str:
        return "a host"

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with UnixStreamServer(str(tmp_path / "socket"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        with Gateway(str(tmp_path / "socket"), "secret") as made:
            yield made
        server.shutdown()
        thread.join()


def test_a_host_reads_every_word_of_it(gateway: Gateway) -> None:
    with pytest.raises(Refused) as caught:
        gateway.post("/triggers/sync", Message())
    assert caught.value.code is Code.UNAVAILABLE
    assert (caught.value.refusal.message, caught.value.refusal.remedy) == (
        "the plane cannot be reached",
        "wait for it",
    )
