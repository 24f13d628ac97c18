"""The key ring of the site's owner: keys that seal values which the plane keeps and shall not read.

One text, the same for every agent of the site: the site's name, the id of the key that seals now, and each key by its id. Older
keys still open. A file of it has mode 0600.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import secrets
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tradewind_agent.errors import SettingsWrong
from tradewind_agent.kits import files
from tradewind_protocol.boundary import KEY_ID, CannotOpen
from tradewind_protocol.sessions import NAME_PATTERN

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REMEDY: Final = (
    "Give every agent of the site the same key ring; `tradewind-agent keys list` says whether a file can be read, and which "
    "keys it has"
)

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
_PURPOSE: Final = "tradewind value 2"


class RingWrong(ValueError):
    """The text of a key ring is none; says why, without a key."""


@dataclass(frozen=True)
class KeyRing:
    """Keys by id, of which one seals. AES-256-GCM with a random nonce; site, key id and Deployment are bound to each sealed text."""

    site: str
    current: str
    keys: Mapping[str, bytes] = field(repr=False)

    @property
    def by(self) -> str:
        """What people read in place of a value."""
        return f"{self.site}, key {self.current}"

    def seal(self, text: str, deployment: str = "") -> str:
        """`text` for that Deployment, whose name is one line."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        cipher = AESGCM(self.keys[self.current])
        plain = f"{deployment}\n{text}".encode("utf-8", "surrogatepass")
        inside = cipher.encrypt(nonce, plain, self._bound(self.current))
        return f"{self.current}.{base64.urlsafe_b64encode(nonce + inside).decode()}"

    def open(self, form: str, deployment: str = "") -> str:
        """What was sealed for that Deployment. Raises CannotOpen."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key_id, _, text = form.partition(".")
        key = self.keys.get(key_id)
        if key is None:
            raise CannotOpen(
                f"it was sealed with key {key_id!r}, and the key ring of this agent (site {self.site!r}) has "
                f"{', '.join(sorted(self.keys))} only. Put that key back into the key ring of every agent of the site"
            )
        try:
            inside = base64.urlsafe_b64decode(text.encode())
            found = AESGCM(key).decrypt(inside[:_NONCE_BYTES], inside[_NONCE_BYTES:], self._bound(key_id))
            sealed_for, _, plain = found.decode("utf-8", "surrogatepass").partition("\n")
        except (InvalidTag, ValueError, binascii.Error):
            raise CannotOpen(
                f"it names key {key_id!r}, but this agent's key {key_id!r} of site {self.site!r} does not open it: it was "
                "changed on the way, or sealed by another site. Give every agent of the site the same key ring"
            ) from None
        if sealed_for != deployment:
            raise CannotOpen(
                f"it was sealed for Deployment {sealed_for!r}, and this agent serves {deployment!r}. If both are one, give "
                "every agent of the site the same `deployment`"
            )
        return plain

    def _bound(self, key_id: str) -> bytes:
        return json.dumps([_PURPOSE, self.site, key_id]).encode()

    # ---- as text

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """Raises RingWrong."""
        try:
            table = tomllib.loads(text)
        except ValueError as error:
            # the message of the parser may quote a line, and lines hold keys
            raise RingWrong(f"it is no TOML ({type(error).__name__})") from None
        site, current, keys = table.get("site"), table.get("current"), table.get("keys")
        if more := set(table) - {"site", "current", "keys"}:
            raise RingWrong(f"it has {', '.join(map(repr, sorted(more)))}, which a key ring has not")
        if not isinstance(site, str) or not re.fullmatch(NAME_PATTERN, site) or len(site) > 250:
            raise RingWrong("`site`, the name that users of the plane read, is missing or is no name")
        if not isinstance(keys, dict) or not keys:
            raise RingWrong("it has no `[keys]`")
        if not isinstance(current, str) or current not in keys:
            raise RingWrong("`current` names none of its keys")
        return cls(site, current, {key_id: _key(key_id, value) for key_id, value in keys.items()})

    @classmethod
    def of_output(cls, printed: bytes) -> KeyRing:
        """The ring that a program has printed: its text, or that in base64. Raises RingWrong."""
        try:
            text = printed.decode()
        except ValueError:
            raise RingWrong("it is no UTF-8") from None
        if _BASE64.fullmatch(text):
            with suppress(ValueError):  # else it is a text that is no ring
                text = base64.b64decode("".join(text.split()), validate=True).decode()
        return cls.parse(text)

    def text(self) -> str:
        """The ring as a file has it."""
        lines = [
            "# A key ring of tradewind-agent, the same on every agent of the site. It opens all that the plane keeps of the site.",
            f'site = "{self.site}"',
            f'current = "{self.current}"  # seals; all of them open',
            "",
            "[keys]",
            *(f'"{key_id}" = "{base64.b64encode(key).decode()}"' for key_id, key in self.keys.items()),
        ]
        return "\n".join(lines) + "\n"

    # ---- a new key

    @classmethod
    def new(cls, site: str, key_id: str) -> KeyRing:
        """A ring with one new key. Raises RingWrong for a name that is none."""
        return cls.parse(cls(site, key_id, {key_id: secrets.token_bytes(KEY_BYTES)}).text())

    def with_new(self, key_id: str) -> KeyRing:
        """This ring and a new key, which does not seal yet. Raises RingWrong."""
        if key_id in self.keys:
            raise RingWrong(f"it has a key {key_id!r} already")
        return KeyRing.parse(
            KeyRing(self.site, self.current, {**self.keys, key_id: secrets.token_bytes(KEY_BYTES)}).text()
        )

    def sealing_with(self, key_id: str) -> KeyRing:
        """This ring with another current key. Raises RingWrong."""
        if key_id not in self.keys:
            raise RingWrong(f"it has no key {key_id!r}")
        return KeyRing(self.site, key_id, self.keys)

    def without(self, key_id: str) -> KeyRing:
        """This ring without an older key. Raises RingWrong."""
        if key_id == self.current:
            raise RingWrong(f"key {key_id!r} is the current one")
        if key_id not in self.keys:
            raise RingWrong(f"it has no key {key_id!r}")
        return KeyRing(
            self.site, self.current, {name: key for name, key in self.keys.items() if name != key_id}
        )


def _key(key_id: str, value: object) -> bytes:
    if not re.fullmatch(KEY_ID, key_id):
        raise RingWrong(f"the key id {key_id[:50]!r} is not of letters, digits and hyphens, at most 32")
    try:
        key = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise RingWrong(f"key {key_id!r} is not {KEY_BYTES} bytes in base64")
    return key


def read(file: Path) -> KeyRing:
    """The key ring of a file. Raises SettingsWrong, also for a file that every user of the machine can read."""
    try:
        with open(file, encoding="utf-8") as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            text = opened.read()
        if mode & 0o007:
            raise SettingsWrong(
                f"the key ring {file} can be read by every user of this machine (mode {mode:04o})",
                remedy=f"chmod 600 {file}",
            )
        return KeyRing.parse(text)
    except OSError as error:
        why = error.strerror or str(error)
    except ValueError as error:
        why = str(error) if isinstance(error, RingWrong) else "it is no UTF-8"
    raise SettingsWrong(f"the key ring {file} cannot be read: {why}", remedy=REMEDY)


def write(file: Path, ring: KeyRing) -> None:
    """Replace the file's content, mode 0600. Raises OSError."""
    files.write_whole(file, ring.text())
