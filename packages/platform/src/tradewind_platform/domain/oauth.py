"""Rules of OAuth 2.0 with PKCE (RFC 6749, RFC 7636), as far as Deployments use it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from datetime import timedelta
from typing import Final

CODE_LIFETIME: Final = timedelta(seconds=60)
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


def is_challenge(text: str) -> bool:
    """Whether it can be a challenge of the method S256."""
    return _CHALLENGE.match(text) is not None


def verifies(verifier: str, challenge: str) -> bool:
    """Whether the verifier belongs to the challenge. One of another form does not."""
    if _VERIFIER.match(verifier) is None:
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)
