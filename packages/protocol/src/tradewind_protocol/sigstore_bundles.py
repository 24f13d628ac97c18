"""A Sigstore bundle with the signature of a key that its reader knows, as `cosign sign-blob --key … --bundle …` writes it.

Read without a network: the key is the site's to trust. Entries of a transparency log and timestamps are for those who do not know the key,
and are passed over. A bundle with a certificate in place of a key is refused: who that certifies is not the site's to say offline.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

LARGEST: Final = 256 * 1024
"""Bytes of a bundle."""

_MEDIA_TYPE: Final = re.compile(
    r"application/vnd\.dev\.sigstore\.bundle(\.v0\.3\+json|\+json;version=0\.[123])"
)
_DIGESTS: Final = {"SHA2_256": hashlib.sha256, "SHA2_384": hashlib.sha384, "SHA2_512": hashlib.sha512}


class BundleWrong(ValueError):
    """A text that is no such bundle, or one of another file."""


@dataclass(frozen=True)
class KeySignature:
    """A signature over a file."""

    signature: bytes

    @classmethod
    def parse(cls, text: bytes, signed: bytes) -> KeySignature:
        """The signature of a bundle about the file with the content `signed`; not verified yet. Raises BundleWrong."""
        try:
            read = json.loads(text)
        except (ValueError, RecursionError):
            raise BundleWrong("it is no JSON") from None
        if not isinstance(read, dict) or not _MEDIA_TYPE.fullmatch(str(read.get("mediaType"))):
            raise BundleWrong("it is no Sigstore bundle of version 0.3 or older")
        material = _map(read, "verificationMaterial")
        if "publicKey" not in material:
            raise BundleWrong("it is signed by a certificate, and not by a key (cosign sign-blob --key)")
        message = _map(read, "messageSignature")
        if "messageDigest" in message:
            _compare(_map(message, "messageDigest"), signed)
        return cls(_decoded(message.get("signature"), "signature"))


def _compare(digest: dict[str, Any], signed: bytes) -> None:
    """The digest says nothing that the signature does not, and tells a bundle of another file from one of another key."""
    algorithm = _DIGESTS.get(str(digest.get("algorithm")))
    if algorithm is None:
        raise BundleWrong(f"its digest is of an unknown algorithm {str(digest.get('algorithm'))[:40]!r}")
    if algorithm(signed).digest() != _decoded(digest.get("digest"), "digest"):
        raise BundleWrong("it is of another file, or the file has changed since")


def _map(read: dict[str, Any], name: str) -> dict[str, Any]:
    found = read.get(name)
    if not isinstance(found, dict):
        raise BundleWrong(f"it has no `{name}`")
    return found


def _decoded(value: Any, name: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BundleWrong(f"its {name} is no base64") from None
