"""One sign-in of a browser on the platform: its state and PKCE verifier (RFC 7636) are in a signed cookie of its own."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

import jwt

from tradewind_protocol import access, pkce

COOKIE_PREFIX: Final = "tw_sign_in_"
MINUTES: Final = 10
"""How long a person may take to sign in on the platform."""
_AUDIENCE: Final = "tradewind:sign-in"


@dataclass(frozen=True)
class Attempt:
    """One try to sign in. Two tabs have one each."""

    state: str
    verifier: str = field(repr=False)
    next: str
    """Where the browser goes afterwards: it was checked when the attempt began."""

    @classmethod
    def new(cls, next: str) -> Attempt:
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(48), next)

    @property
    def cookie(self) -> str:
        return cookie_of(self.state)

    def sealed(self, key: str, *, now: datetime) -> str:
        """The cookie's value."""
        claims = {
            "aud": _AUDIENCE,
            "exp": now + timedelta(minutes=MINUTES),
            "state": self.state,
            "verifier": self.verifier,
            "next": self.next,
        }
        return jwt.encode(claims, key, algorithm="HS256")

    @classmethod
    def opened(cls, cookie: str, key: str) -> Attempt | None:
        """The attempt of a cookie's value; None for one that is not ours or too old."""
        try:
            claims = jwt.decode(
                cookie, key, algorithms=["HS256"], audience=_AUDIENCE, options={"require": ["exp"]}
            )
        except jwt.InvalidTokenError:
            return None
        return cls(claims["state"], claims["verifier"], claims["next"])

    def platform_address(self, platform_url: str, deployment: UUID, redirect_uri: str) -> str:
        """Where the browser is sent."""
        asked = {
            "response_type": "code",
            "client_id": str(deployment),
            "redirect_uri": redirect_uri,
            "state": self.state,
            "code_challenge": pkce.challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return f"{platform_url}{access.AUTHORIZE_PATH}?{urlencode(asked)}"


def cookie_of(state: str) -> str:
    """The name of the cookie of an attempt. A state that nobody here made names a cookie that is not there."""
    return COOKIE_PREFIX + hashlib.sha256(state.encode()).hexdigest()[:16]
