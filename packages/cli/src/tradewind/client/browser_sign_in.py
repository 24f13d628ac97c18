"""Signs a terminal in by the browser of the same machine: authorization code with PKCE, to a loopback address (RFC 8252).

The browser brings the code to a port of this machine that is open for this sign-in only. The code is worth nothing without the
verifier, which does not leave the process before the platform is asked for the token.
"""

from __future__ import annotations

import hmac
import html
import queue
import re
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from tradewind.client.platform_client import PlatformClient
from tradewind.errors import CommandError
from tradewind_protocol.access import AUTHORIZE_PATH, TERMINAL_CALLBACK, TERMINAL_CLIENT, TerminalToken
from tradewind_protocol.pkce import challenge_of

SECONDS: Final = 300.0
"""So long a person has to sign in."""
_AGAIN: Final = (
    "Run it again. Without a browser: create a personal token on the page Me, and use --no-browser."
)


def opener(env: Mapping[str, str]) -> Callable[[str], bool] | None:
    """What opens an address in a browser that a person sees; None where there is none, as over SSH."""
    has_screen = (
        sys.platform in ("darwin", "win32")
        or bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"))
        or bool(env.get("BROWSER"))
    )
    if not has_screen:
        return None
    try:
        return webbrowser.get().open
    except webbrowser.Error:
        return None


def sign_in(
    client: PlatformClient,
    open_browser: Callable[[str], bool],
    say: Callable[[str], None],
    *,
    seconds: float = SECONDS,
) -> TerminalToken:
    """Open the browser, wait until it comes back, and ask for the token. Raises CommandError when it comes to nothing."""
    attempt = _Attempt()
    with _Loopback(attempt.state) as loopback:
        url = f"{client.plane}{AUTHORIZE_PATH}?{urlencode(attempt.asked(loopback.redirect_uri))}"
        say(f"Sign in with the browser. If none opens, open this address on this machine:\n  {url}")
        open_browser(url)
        code = loopback.wait(seconds)
        return client.redeem_terminal_code(
            code, redirect_uri=loopback.redirect_uri, verifier=attempt.verifier
        )


@dataclass(frozen=True)
class _Attempt:
    """What belongs to one sign-in, and is known to this process only until it is used."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    def asked(self, redirect_uri: str) -> dict[str, str]:
        return {
            "client_id": TERMINAL_CLIENT,
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "state": self.state,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
            "machine": re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname().partition(".")[0])[:63],
        }


class _Loopback:
    """A port of this machine's loopback address that waits for the browser. What has another state is turned away."""

    def __init__(self, state: str) -> None:
        self._answers: queue.Queue[dict[str, str]] = queue.Queue()
        self._server = _listening(_handler(state, self._answers))
        self._serving = threading.Thread(target=self._server.serve_forever, name="sign-in", daemon=True)

    @property
    def redirect_uri(self) -> str:
        return f"http://{_host(self._server)}{TERMINAL_CALLBACK}"

    def __enter__(self) -> _Loopback:
        self._serving.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._serving.join()

    def wait(self, seconds: float) -> str:
        """The code. Raises CommandError for a person who says no, and after that time."""
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise CommandError(
                f"there was no sign-in within {seconds / 60:.0f} minutes", remedy=_AGAIN
            ) from None
        if "code" in answer:
            return answer["code"]
        if answer.get("error") == "access_denied":
            raise CommandError("the sign-in was refused in the browser")
        raise CommandError(f"the platform gave no code: {answer.get('error', 'no reason')}", remedy=_AGAIN)


class _V6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def _listening(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """On a port that is free, of the loopback address that the machine has."""
    try:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    except OSError:
        server = _V6(("::1", 0), handler)
    server.daemon_threads = True
    return server


def _host(server: ThreadingHTTPServer) -> str:
    name, port = str(server.server_address[0]), server.server_address[1]
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _handler(state: str, answers: queue.Queue[dict[str, str]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # a connection that says nothing
        server: ThreadingHTTPServer

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            # By another name a page of somebody's could be this port's "own" one.
            if address.path != TERMINAL_CALLBACK or self.headers.get("Host") != _host(self.server):
                self._answer(404, "There is nothing here.")
                return
            found = {key: value[0] for key, value in parse_qs(address.query).items()}
            if not hmac.compare_digest(found.get("state", "").encode(), state.encode()):
                self._answer(
                    400, "This is not the sign-in that the terminal waits for. Run tradewind login again."
                )
                return
            answers.put(found)
            self._answer(200, "You can close this page and go back to the terminal.")

        def _answer(self, status: int, text: str) -> None:
            page = (
                "<!doctype html><html lang=en><meta charset=utf-8><title>tradewind login</title><link rel=icon href='data:,'>"
                f"<main><h1>tradewind login</h1><p>{html.escape(text)}</p></main></html>"
            ).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.send_header(
                "Content-Security-Policy", "default-src 'none'; img-src data:; frame-ancestors 'none'"
            )
            self.send_header("Cache-Control", "no-store")
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a request line has the code in it."""

    return Handler
