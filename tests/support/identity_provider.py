"""An identity provider of the tests' own, over real HTTP: OpenID Connect's code flow with PKCE, and signed tokens.

It knows persons, groups and second factors, and can be made to answer wrongly. What it promises to the platform is what
the tests with Keycloak rely on, too (tests/platform/test_keycloak.py).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID = "tradewind"
CLIENT_SECRET = "canary-client-secret-of-the-platform"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass
class Person:
    """Someone whom the provider knows. Changed claims are in the next token."""

    subject: str
    username: str
    groups: list[str] = field(default_factory=list)
    enabled: bool = True
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class FakeIdentityProvider:
    """Signs `person` in without a form. `wrong` changes the claims of tokens, and `key` signs them."""

    clock: Callable[[], datetime]
    url: str = ""
    person: Person | None = None
    wrong: dict[str, Any] = field(default_factory=dict)
    down: bool = False
    signed_in_at: float | None = None  # None: at each request
    algorithm: str = "RS256"

    keys: list[RSAKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.codes: dict[str, dict[str, Any]] = {}
        self.refresh_tokens: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.asked: list[dict[str, str]] = []
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/jwks", self._jwks),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/end", self._end),
            ]
        )

    @property
    def issuer(self) -> str:
        return self.url

    def new_key(self) -> RSAKey:
        return RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"}, private=True)

    def signed(self, claims: dict[str, Any], *, typ: str = "JWT", key: Any = None) -> str:
        used = key or self.keys[0]
        header = {"alg": self.algorithm, "typ": typ, "kid": used.kid or ""}
        return jwt.encode(header, claims, used, algorithms=[self.algorithm])

    def logout_token(self, **more: Any) -> str:
        """A token of back-channel logout for a session or a person."""
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "jti": secrets.token_hex(8),
            "events": {LOGOUT_EVENT: {}},
            **more,
        }
        return self.signed({name: one for name, one in claims.items() if one is not None}, typ="logout+jwt")

    def shared_secret_key(self) -> OctKey:
        return OctKey.import_key(CLIENT_SECRET)

    async def _metadata(self, request: Request) -> Response:
        self.requests.append("metadata")
        if self.down:
            return Response(status_code=503)
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "end_session_endpoint": f"{self.url}/end",
                "authorization_response_iss_parameter_supported": True,
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            }
        )

    async def _jwks(self, request: Request) -> Response:
        self.requests.append("jwks")
        return JSONResponse(KeySet(self.keys).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        if self.person is None or not self.person.enabled:
            return self._back(asked, error="access_denied")
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "person": self.person, "sid": secrets.token_hex(8)}
        return self._back(asked, code=code)

    def _back(self, asked: dict[str, str], **more: str) -> Response:
        query = urlencode({"state": asked["state"], "iss": self.wrong.get("answer_iss", self.issuer), **more})
        return RedirectResponse(f"{asked['redirect_uri']}?{query}", status_code=302)

    async def _token(self, request: Request) -> Response:
        self.requests.append("token")
        if self.down:
            return Response(status_code=503)
        sent = {name: one[0] for name, one in parse_qs((await request.body()).decode()).items()}
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return JSONResponse({"error": "invalid_client"}, 401)
        if sent["grant_type"] == "refresh_token":
            known = self.refresh_tokens.pop(sent["refresh_token"], None)
            if known is None or not known["person"].enabled:
                return JSONResponse({"error": "invalid_grant", "error_description": "User disabled"}, 400)
            return self._tokens(known, nonce=None)
        known = self.codes.pop(sent["code"], None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest())
        if (
            known is None
            or known["redirect_uri"] != sent["redirect_uri"]
            or known["code_challenge"] != challenge.rstrip(b"=").decode()
            or known["code_challenge_method"] != "S256"
        ):
            return JSONResponse({"error": "invalid_grant", "error_description": "Code not valid"}, 400)
        return self._tokens(known, nonce=known["nonce"])

    def _tokens(self, known: dict[str, Any], *, nonce: str | None) -> Response:
        person: Person = known["person"]
        now = self.clock().timestamp()
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": person.subject,
            "exp": int(now) + 300,
            "iat": int(now),
            "auth_time": int(now if self.signed_in_at is None else self.signed_in_at),
            "nonce": nonce,
            "sid": known["sid"],
            "preferred_username": person.username,
            "groups": person.groups,
            **person.more,
            **{name: one for name, one in self.wrong.items() if name != "answer_iss"},
        }
        refresh = secrets.token_urlsafe(16)
        self.refresh_tokens[refresh] = known
        kept = {name: one for name, one in claims.items() if one is not None}
        key = self.shared_secret_key() if self.algorithm.startswith("HS") else None
        return JSONResponse(
            {
                "access_token": secrets.token_urlsafe(16),
                "token_type": "Bearer",
                "expires_in": 300,
                "refresh_token": refresh,
                "id_token": self.signed(kept, key=key),
            }
        )

    async def _end(self, request: Request) -> Response:
        return Response("signed out")


@contextmanager
def running(clock: Callable[[], datetime]) -> Iterator[FakeIdentityProvider]:
    """A provider that listens on a port of 127.0.0.1."""
    made = FakeIdentityProvider(clock)
    made.keys.append(made.new_key())
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(made.app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join()
