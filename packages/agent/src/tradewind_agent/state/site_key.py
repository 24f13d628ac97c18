"""The site's key at work: digests of text that stays here, and arguments that only this site's agents can read."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from tradewind_protocol.boundary import derived, keyed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV


class SiteKey:
    """What is done with the key of a site; every agent of the site has the same.

    Sealing is AES-SIV (RFC 5297): equal texts give equal results, so that a Dag's version changes with its text only,
    and whoever changes a result makes it unreadable.
    """

    def __init__(self, key: bytes) -> None:
        self.digest = keyed(derived(key, "digest"))
        self._key = key
        self._sealing = derived(key, "sealing, mac") + derived(key, "sealing, cipher")
        self._cipher: AESSIV | None = None

    @property
    def print(self) -> str:
        """Which key this is, for a plane that compares the keys of a site's agents."""
        return self.under("which key this is")[:32]

    def under(self, purpose: str) -> str:
        """A key for one purpose, in hexadecimal digits: for a host, which gets no other."""
        return derived(self._key, purpose).hex()

    def seal(self, text: str) -> str:
        return base64.urlsafe_b64encode(self._aes().encrypt(text.encode(), None)).decode()

    def open(self, text: str) -> str | None:
        """What was sealed; None for what was sealed with another key, or is nothing sealed."""
        from cryptography.exceptions import InvalidTag

        try:
            return self._aes().decrypt(base64.urlsafe_b64decode(text.encode()), None).decode()
        except (InvalidTag, ValueError, binascii.Error):
            return None

    def _aes(self) -> AESSIV:
        # Not before it is needed: most agents never have anything to seal, and it takes five megabytes.
        if self._cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESSIV

            self._cipher = AESSIV(self._sealing)
        return self._cipher

    def __repr__(self) -> str:
        return "<the site's key>"
