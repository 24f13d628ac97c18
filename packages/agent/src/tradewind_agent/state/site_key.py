"""The site's key: where it is kept, digests of text that stays at the site, and arguments only its agents can read."""

from __future__ import annotations

import base64
import binascii
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tradewind_agent.errors import SettingsWrong
from tradewind_agent.kits import files
from tradewind_protocol.boundary import derived, keyed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV


SHORTEST_KEY: Final = 32
"""Characters of a site's key."""

_FOLDER_SCHEMES: Final = ("file", "local")  # as fsspec names the file system of this machine


def read_key(state_dir: Path, *, file: Path | None = None, storage: str = "") -> bytes:
    """The site's key: of `file`; else of the folder that the agents of the site share as `storage`, else of the state
    directory, where the first to ask makes it. Raises SettingsWrong."""
    path = file or _shared(storage) or state_dir / "site.key"
    try:
        if file is None and not path.exists():
            files.write_once(path, f"{secrets.token_hex(32)}\n")
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SettingsWrong(
            f"the site's key cannot be read from {path}: {error}",
            remedy="Let site_key_file name a file that the agent's user can read, the same for all agents of the site",
        ) from None
    if len(key) < SHORTEST_KEY:
        raise SettingsWrong(
            f"the site's key in {path} has {len(key)} characters; it needs {SHORTEST_KEY}",
            remedy="Make one with `openssl rand -hex 32`, and give the same to every agent of the site",
        )
    return key.encode()


def _shared(storage: str) -> Path | None:
    """Where the agents of a site find one key: in their storage, when that is a folder of this machine, made at need."""
    scheme, separator, path = storage.rpartition("://")
    folder = Path(path)
    if (separator and scheme not in _FOLDER_SCHEMES) or not folder.is_absolute():
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None  # the task environments will say what is wrong with it
    return folder / "site.key"


class SiteKey:
    """What is done with the key of a site; every agent of the site has the same.

    Sealing is AES-SIV (RFC 5297): equal texts give equal results, so that a Dag's version changes with its text only,
    and a result that was changed cannot be opened. What is sealed is bound to the Deployment.
    """

    def __init__(self, key: bytes, deployment: str = "") -> None:
        self.digest = keyed(derived(key, "digest"))
        self._key = key
        self._sealing = derived(key, "sealing, mac") + derived(key, "sealing, cipher")
        self._cipher: AESSIV | None = None
        self._deployment = deployment

    @property
    def fingerprint(self) -> str:
        """Which key for which Deployment this is, for a plane that compares those of a site's agents."""
        return self.under(f"which key this is for {self._deployment}")[:32]

    def under(self, purpose: str) -> str:
        """A key for one purpose, in hexadecimal digits: for a process of a task environment, which gets no other."""
        return derived(self._key, purpose).hex()

    def seal(self, text: str) -> str:
        return base64.urlsafe_b64encode(
            self._aes().encrypt(text.encode(), [self._deployment.encode()])
        ).decode()

    def open(self, text: str) -> str | None:
        """What was sealed; None for what was sealed with another key or for another Deployment, or is nothing sealed."""
        from cryptography.exceptions import InvalidTag

        try:
            inside = base64.urlsafe_b64decode(text.encode())
            return self._aes().decrypt(inside, [self._deployment.encode()]).decode()
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
