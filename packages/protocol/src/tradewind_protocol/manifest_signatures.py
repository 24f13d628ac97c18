"""Which key has signed a manifest. Needs the extra `signatures`: agent and runtime depend on cryptography themselves."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key, load_ssh_public_key

from tradewind_protocol import manifests
from tradewind_protocol.sigstore_bundles import KeySignature

MOST: Final = 20
"""Signatures in lines that are looked at."""

PublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey

_PEM: Final = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
"""As Sigstore pairs them, by curve."""


@dataclass(frozen=True)
class Signature:
    """One signature, and what it is over."""

    signature: bytes
    over: bytes

    def is_of(self, key: PublicKey) -> bool:
        """Whether the key has made it."""
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(self.signature, self.over)
            else:
                key.verify(self.signature, self.over, ec.ECDSA(_HASHES[key.curve.name]))
        except (InvalidSignature, ValueError, KeyError):
            return False
        return True


def in_lines(lines: bytes, manifest: bytes) -> list[Signature]:
    """Those of a file `manifests.SIGNATURES`; a line that is none is passed over."""
    found = []
    for line in lines.split()[:MOST]:
        try:
            found.append(Signature(base64.b64decode(line, validate=True), manifests.signed(manifest)))
        except (binascii.Error, ValueError):
            continue
    return found


def in_sigstore_bundle(bundle: bytes, manifest: bytes) -> Signature:
    """That of a file `manifests.SIGSTORE`. Raises BundleWrong."""
    return Signature(KeySignature.parse(bundle, manifest).signature, manifest)


def trusted_keys(text: bytes) -> Sequence[PublicKey]:
    """The Ed25519 and ECDSA keys of a file: lines of OpenSSH, and blocks of PEM. Anything else is passed over."""
    found: list[PublicKey] = []
    loads = [(load_pem_public_key, block) for block in _PEM.findall(text)]
    loads += [(load_ssh_public_key, line.strip()) for line in _PEM.sub(b"", text).splitlines()]
    for load, written in loads:
        try:
            key = load(written)
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, Ed25519PublicKey | ec.EllipticCurvePublicKey):
            found.append(key)
    return found
