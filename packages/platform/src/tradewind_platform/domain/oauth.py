"""Rules of OAuth 2.0 with PKCE (RFC 6749, RFC 7636), as far as Deployments and terminals use it."""

from __future__ import annotations

import hmac
import re
from datetime import timedelta
from typing import Final

from tradewind_protocol.access import TERMINAL_CALLBACK
from tradewind_protocol.pkce import challenge_of

CODE_LIFETIME: Final = timedelta(seconds=60)
TERMINAL_LIFETIME: Final = timedelta(hours=12)
"""Of the token that a terminal gets."""
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


_LOOPBACK: Final = re.compile(
    rf"http://(?:127\.0\.0\.1|\[::1\]):([1-9][0-9]{{0,4}}){re.escape(TERMINAL_CALLBACK)}\Z"
)


def is_loopback_redirect(uri: str) -> bool:
    """Whether it is where a terminal waits: plain HTTP on a loopback address, any port, one path. A name such as `localhost`
    is none: it may lead elsewhere (RFC 8252, 8.3)."""
    found = _LOOPBACK.match(uri)
    return found is not None and int(found[1]) <= 65535


def is_challenge(text: str) -> bool:
    """Whether it can be a challenge of the method S256."""
    return _CHALLENGE.match(text) is not None


def verifies(verifier: str, challenge: str) -> bool:
    """Whether the verifier belongs to the challenge. One of another form does not."""
    if _VERIFIER.match(verifier) is None:
        return False
    return hmac.compare_digest(challenge_of(verifier), challenge)
