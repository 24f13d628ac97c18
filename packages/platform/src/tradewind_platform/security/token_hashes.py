"""What the platform keeps of a token."""

from __future__ import annotations

import hashlib


def hashed(token: str) -> str:
    """SHA-256, in hexadecimal. 256 random bits need no salt and no slowness."""
    return hashlib.sha256(token.encode()).hexdigest()
