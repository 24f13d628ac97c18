"""What the plane keeps of a credential."""

from __future__ import annotations

import hashlib


def hashed(secret: str) -> str:
    """SHA-256, in hexadecimal. 256 random bits need no salt and no slowness."""
    return hashlib.sha256(secret.encode()).hexdigest()
