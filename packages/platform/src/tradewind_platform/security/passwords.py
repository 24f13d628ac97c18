"""Passwords, kept as Argon2id hashes."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_AT_ONCE: Final = 2
"""A hash takes 64 MiB and some 50 ms of a core: a flood of sign-ins must not take all of either."""


class Passwords:
    """Makes and verifies hashes, a few at once. `hasher`: other parameters than argon2-cffi's own."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        with self._slots:
            return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether it is the password of the hash. None, for a user there is not, takes as long and is False."""
        with self._slots:
            try:
                return self._hasher.verify(stored or self._of_no_user, password) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

    @cached_property
    def _of_no_user(self) -> str:
        return self._hasher.hash("the password of no user")
