"""Encryption at rest: AES-256-GCM for each value, with the first key of a ring. All keys of the ring decrypt."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FORM: Final = "g1"  # AES-256-GCM, a nonce of 96 bits in front
_NONCE: Final = 12


class KeyProblem(Exception):
    """A key is missing, wrong, or its file is not as it should be. Says which one and what to do; never has a key in it."""


class KeyRing:
    """The keys of a file, read again when it has changed: a rotation needs no restart.

    A line has a key's id, a space, and 32 bytes in base64. The first one encrypts.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_at: tuple[int, int] | None = None
        self._keys: Mapping[str, bytes] = {}
        self._refresh()

    def __repr__(self) -> str:
        return f"KeyRing({self._file}, {list(self._keys)})"

    @classmethod
    def create(cls, file: Path) -> KeyRing:
        """A new file with one key. Raises FileExistsError."""
        with open(file, "x", opener=_private) as opened:
            opened.write(_line(_new_id(), AESGCM.generate_key(256)))
        return cls(file)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, the one that encrypts first."""
        self._refresh()
        return tuple(self._keys)

    def add(self) -> str:
        """Put a new key in front, which encrypts from now on. Returns its id."""
        made = _new_id()
        with self._alone():
            self._write({made: AESGCM.generate_key(256), **self._keys})
        return made

    def remove(self, key: str) -> None:
        """Take a key out. Raises KeyProblem for the one that encrypts and for one that is not there."""
        with self._alone():
            if key not in self._keys or key == self.ids[0]:
                raise KeyProblem(f"{self._file} has no key {key}, or it is the one that encrypts")
            self._write({each: value for each, value in self._keys.items() if each != key})

    def encrypt(self, value: str, *, row: str, key: str | None = None) -> str:
        """The value as it may be stored. `row` names table, row and column: elsewhere it decrypts to nothing.

        `key`: use this key of the ring, and not the first.
        """
        key = key or self.ids[0]
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + AESGCM(self._keys[key]).encrypt(nonce, value.encode(), row.encode())
        return f"{_FORM}.{key}.{base64.urlsafe_b64encode(sealed).decode()}"

    def decrypt(self, stored: str, *, row: str) -> str:
        """The value. Raises KeyProblem when its key is not in the ring, and when it was changed or is another row's."""
        key = key_of(stored)
        if key not in self._keys:
            self._refresh()
        if key not in self._keys:
            raise KeyProblem(
                f"{row} is encrypted with the key {key}, which {self._file} has not; put that key back into the file"
            )
        sealed = base64.urlsafe_b64decode(stored.rpartition(".")[2])
        try:
            plain = AESGCM(self._keys[key]).decrypt(sealed[:_NONCE], sealed[_NONCE:], row.encode())
        except InvalidTag:
            raise KeyProblem(
                f"{row} does not decrypt with the key {key}: the value was changed, or {self._file} has another key under this id"
            ) from None
        return plain.decode()

    def _refresh(self) -> None:
        try:
            stat = self._file.stat()
            now = (stat.st_mtime_ns, stat.st_ino)
            if now == self._read_at:
                return
            text = self._file.read_text(encoding="utf-8")
        except OSError as error:
            raise KeyProblem(f"the key file {self._file} cannot be read: {error.strerror}") from error
        keys: dict[str, bytes] = {}
        for number, line in enumerate(text.splitlines(), 1):
            key, _, encoded = line.partition(" ")
            try:
                keys[key] = base64.b64decode(encoded, validate=True)
            except ValueError:
                keys[key] = b""
            if len(keys[key]) != 32:
                raise KeyProblem(f"line {number} of {self._file} is not an id and 32 bytes in base64")
        if not keys:
            raise KeyProblem(f"{self._file} has no key")
        self._keys, self._read_at = keys, now

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process changes the file: a key that one of two would write over has encrypted values already."""
        with open(self._file.with_suffix(".lock"), "w", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._refresh()
            yield

    def _write(self, keys: Mapping[str, bytes]) -> None:
        part = self._file.with_suffix(".part")
        with open(part, "w", opener=_private) as opened:
            opened.write("".join(_line(key, value) for key, value in keys.items()))
        part.replace(self._file)
        self._refresh()


def key_of(stored: str) -> str:
    """The id of the key that encrypted a stored value. Raises KeyProblem for what is none."""
    form, _, rest = stored.partition(".")
    key, dot, _ = rest.partition(".")
    if form != _FORM or not dot:
        raise KeyProblem("a stored value has not the form of an encrypted one")
    return key


def _new_id() -> str:
    return "k" + secrets.token_hex(4)


def _line(key: str, value: bytes) -> str:
    return f"{key} {base64.b64encode(value).decode()}\n"


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
