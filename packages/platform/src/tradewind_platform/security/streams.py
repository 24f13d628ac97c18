"""Encrypts what is too large for one message: pieces in order, each with its number, the last one marked (AES-256-GCM)."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterable, Iterator
from typing import IO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_MAGIC: Final = b"tradewind-backup-1\n"
_PIECE: Final = 1 << 20
_PREFIX: Final = 7  # random bytes of each nonce; 4 bytes count, 1 marks the last piece


class Damaged(Exception):
    """It is no whole stream of this key: it was changed, cut off, or encrypted with another one."""


def new_key() -> bytes:
    return AESGCM.generate_key(256)


def encrypt(key: bytes, pieces: Iterable[bytes], target: IO[bytes]) -> int:
    """Write the pieces encrypted. Returns how many bytes they have."""
    cipher, prefix = AESGCM(key), secrets.token_bytes(_PREFIX)
    target.write(_MAGIC + prefix)
    size = number = 0
    for piece, is_last in _marked(_resized(pieces)):
        sealed = cipher.encrypt(_nonce(prefix, number, is_last), piece, _MAGIC)
        target.write(struct.pack(">I", len(sealed)) + sealed)
        size += len(piece)
        number += 1
    return size


def decrypt(key: bytes, source: IO[bytes]) -> Iterator[bytes]:
    """The pieces. Raises Damaged at the first that is not as it was written, and at an end that is none."""
    cipher = AESGCM(key)
    if source.read(len(_MAGIC)) != _MAGIC:
        raise Damaged("it does not begin as a backup")
    prefix = source.read(_PREFIX)
    number, ended = 0, False
    while header := source.read(4):
        if ended or len(header) != 4:
            raise Damaged("it goes on after its end")
        sealed = source.read(struct.unpack(">I", header)[0])
        for is_last in (False, True):
            try:
                piece = cipher.decrypt(_nonce(prefix, number, is_last), sealed, _MAGIC)
                break
            except InvalidTag:
                if is_last:
                    raise Damaged(f"piece {number} was changed, or another key encrypted it") from None
        ended = is_last
        number += 1
        yield piece
    if not ended:
        raise Damaged("it is cut off")


def _nonce(prefix: bytes, number: int, is_last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, is_last)


def _resized(pieces: Iterable[bytes]) -> Iterator[bytes]:
    kept = bytearray()
    for piece in pieces:
        kept += piece
        while len(kept) >= _PIECE:
            yield bytes(kept[:_PIECE])
            del kept[:_PIECE]
    yield bytes(kept)


def _marked(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    before = next(pieces)
    for piece in pieces:
        yield before, False
        before = piece
    yield before, True
