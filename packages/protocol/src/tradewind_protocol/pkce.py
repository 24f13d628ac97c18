"""The challenge of a sign-in: the method S256 of PKCE (RFC 7636, 4.2)."""

from __future__ import annotations

import base64
import hashlib


def challenge_of(verifier: str) -> str:
    """What the client shows when a sign-in begins, for the verifier that it shows at the end."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
