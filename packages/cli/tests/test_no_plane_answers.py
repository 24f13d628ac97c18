"""What a person reads when the address leads somewhere else: the thing, the cause, and what to change."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.nginx import make_certificates


@contextmanager
def serving(
    status: int, *, kind: str = "text/html", airflow: bool = False, tls: Path | None = None, **headers: str
) -> Iterator[int]:
    """Something that answers everything alike, on a port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if airflow and self.path.endswith("/api/v2/version"):
                self._answer(200, "application/json", b'{"version": "3.3.2"}')
            else:
                self._answer(status, kind, b"<html>x</html>", **headers)

        do_POST = do_GET

        def _answer(self, status: int, kind: str, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "server.pem", tls / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("answers", "cause", "remedy"),
    [
        (
            {"status": 200, "airflow": True},
            "an Airflow 3.3.2 that is no orchestration plane",
            "tradewind-provider",
        ),
        ({"status": 404, "airflow": True, "kind": "application/json"}, "Airflow 3.3.2", "tradewind-provider"),
        ({"status": 500, "airflow": True}, "failed to answer", "log"),
        ({"status": 404}, "404", "path prefix"),
        ({"status": 200}, "200 and text/html", "sign-in page"),
        ({"status": 400}, "400", "https://"),
        ({"status": 502}, "the plane behind it is not", "API server runs"),
        ({"status": 302, "Location": "https://sso.example.com/"}, "redirects", "final address"),
    ],
)
def test_whatever_answers_instead_is_told_apart(
    tradewind: Any, answers: dict[str, Any], cause: str, remedy: str
) -> None:
    with serving(**answers) as port:
        result = tradewind("--plane-url", f"http://127.0.0.1:{port}/eu", "agents", "list")
    assert result.exit_code == 3
    message, advice = result.stderr.splitlines()
    assert f"http://127.0.0.1:{port}/eu" in message and cause in message
    assert remedy in advice


def test_a_private_authority_is_to_be_named_with_ca_file(tradewind: Any, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    with serving(404, tls=tmp_path) as port:
        url = f"https://localhost:{port}"
        unknown = tradewind("--plane-url", url, "agents", "list")
        assert "--ca-file" in unknown.stderr and "TRADEWIND_CA_FILE" in unknown.stderr
        added = ("contexts", "add", "x", url, "--username", "ada", "--password-stdin", "--ca-file")
        known = tradewind(*added, str(tmp_path / "ca.pem"), input="x")
        assert "path prefix" in known.stderr


def test_a_name_the_certificate_is_not_for_is_said_to_be_that(
    tradewind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_certificates(tmp_path)
    monkeypatch.setenv("TRADEWIND_CA_FILE", str(tmp_path / "ca.pem"))
    with serving(404, tls=tmp_path) as port:
        result = tradewind("--plane-url", f"https://127.0.0.2:{port}", "agents", "list")
    # the server listens on 127.0.0.1 only where the kernel keeps loopback addresses apart
    assert "name that the certificate was made for" in result.stderr or "Nothing listens" in result.stderr


def test_plain_http_behind_https_is_said_to_be_that(tradewind: Any) -> None:
    with serving(200) as port:
        result = tradewind("--plane-url", f"https://127.0.0.1:{port}", "agents", "list")
    assert "write http://" in result.stderr


def test_a_port_nobody_listens_on_and_a_name_nobody_knows(tradewind: Any) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # not listening
        refused = tradewind("--plane-url", f"http://127.0.0.1:{held.getsockname()[1]}", "agents", "list")
    assert "Nothing listens there" in refused.stderr
    unknown = tradewind("--plane-url", "http://no-such-host.invalid", "agents", "list")
    assert unknown.exit_code == 3 and "no-such-host.invalid" in unknown.stderr
