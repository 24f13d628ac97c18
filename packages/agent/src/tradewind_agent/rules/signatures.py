"""Whether a run has been signed with a key that the site's owner trusts. SSH signatures of Ed25519, as `ssh-keygen -Y sign` makes."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from tradewind_protocol import run_signatures
from tradewind_protocol.run_signatures import SignatureWrong

SKEW: Final = timedelta(minutes=2)
"""How far the clocks of who signs and of the agent may be apart."""

_MAGIC: Final = b"SSHSIG"
_HASHES: Final = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_KIND: Final = b"ssh-ed25519"


def why_not_signed(
    keys: Sequence[str],
    conf: Mapping[str, Any],
    *,
    deployment: str,
    dag_id: str,
    run_id: str,
    at: datetime | None,
) -> str:
    """Why the run may not start with these parameters; empty when one of `keys` has signed it. At no moment, any time does: of a
    task that goes on."""
    try:
        found = run_signatures.of(conf, deployment=deployment, dag_id=dag_id, run_id=run_id)
        if found is None:
            return "the run has no signature (`tradewind runs start --sign` makes one)"
        statement, signature = found
        first, last = (run_signatures.moment(each) for each in (statement.not_before, statement.not_after))
        # no arithmetic with what the plane gave: it may be the first moment of the calendar
        if at is not None and not (first <= at + SKEW and at - SKEW <= last):
            return f"the signature is good from {statement.not_before} to {statement.not_after} only"
        signer = _verified(signature, statement.text())
    except SignatureWrong as wrong:
        return str(wrong)
    if signer not in [_of_line(line) for line in keys]:
        return "no key that the site's owner trusts has signed the run"
    return ""


def check_key(line: str) -> None:
    """Raises ValueError for a line that is no Ed25519 key of OpenSSH."""
    if _of_line(line) is None:
        raise ValueError(f"{line[:60]!r} is no line of an Ed25519 key, such as 'ssh-ed25519 AAAA… ada'")


def _of_line(line: str) -> bytes | None:
    """The key of a line, as a signature names it."""
    parts = line.split()
    if len(parts) < 2 or parts[0] != _KIND.decode():
        return None
    try:
        key = base64.b64decode(parts[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if key.startswith(_string(_KIND)) and len(key) == len(_string(_KIND)) + 4 + 32 else None


def _verified(signature: str, text: bytes) -> bytes:
    """The key that has signed the text. Raises SignatureWrong."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        blob = base64.b64decode("".join(signature.split()), validate=True)
        if not blob.startswith(_MAGIC + (1).to_bytes(4, "big")):
            raise SignatureWrong("the signature is no SSH signature")
        key, namespace, reserved, algorithm, inner = _strings(blob[len(_MAGIC) + 4 :], 5)
        kind, raw = _strings(inner, 2)
        of_key, public = _strings(key, 2)
    except (binascii.Error, ValueError) as error:
        raise SignatureWrong(f"the signature cannot be read ({type(error).__name__})") from None
    if namespace != run_signatures.NAMESPACE.encode() or algorithm not in _HASHES:
        raise SignatureWrong("the signature is for another purpose")
    if kind != _KIND or of_key != _KIND:
        raise SignatureWrong("the signature is not of an Ed25519 key")
    hashed = _HASHES[algorithm](text).digest()
    over = _MAGIC + b"".join(map(_string, (namespace, reserved, algorithm, hashed)))
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(raw, over)
    except (InvalidSignature, ValueError):
        raise SignatureWrong(
            "the signature is not for this run of this Dag in this Deployment with these parameters"
        ) from None
    return key


def _string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _strings(blob: bytes, count: int) -> list[bytes]:
    """Exactly that many strings of the SSH protocol. Raises ValueError."""
    found = []
    for _ in range(count):
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            raise ValueError("too short")
        found.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    if blob:
        raise ValueError("too long")
    return found
