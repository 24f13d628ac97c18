"""A bundle in a folder of which no file is read before it is verified: listed in a manifest that a key signed which the site's owner
trusts.

Airflow reads a copy, which has the files of the manifest and no others. What changes in the folder after it was verified
changes nothing. Whatever reads a bundle initializes it first: tasks, callbacks, the dag processor.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from airflow.dag_processing.bundles.base import BaseDagBundle
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from tradewind_protocol import manifests
from tradewind_protocol.manifests import Manifest, ManifestWrong

_MOST_SIGNATURES: Final = 20
_DRAFT: Final = ".tradewind-draft"


class BundleRefused(Exception):
    """The site's owner does not let these files run."""


class VerifiedLocalDagBundle(BaseDagBundle):
    """A folder (`path`) as its authors signed it with `tradewind-agent bundles sign`.

    `trusted_keys`: a file of Ed25519 keys as OpenSSH writes them (`ssh-ed25519 AAAA… name`), one a line. One of them has to have
    signed. It is read each time, so that keys are replaced without a restart.
    """

    supports_versioning = False

    def __init__(self, *, path: str, trusted_keys: str, **more: Any) -> None:
        super().__init__(**more)
        for name, value in (("path", path), ("trusted_keys", trusted_keys)):
            if not os.path.isabs(value):
                raise ValueError(f"bundle {self.name!r}: {name} = {value!r} has to be an absolute path")
        self._source, self._trusted = Path(path), Path(trusted_keys)
        self._copy = self.base_dir / "verified"

    @property
    def path(self) -> Path:
        return self._copy

    def get_current_version(self) -> None:
        return None

    def initialize(self) -> None:
        self.refresh()
        super().initialize()

    def refresh(self) -> None:
        """Make the copy have what the folder has. Raises BundleRefused, and then the copy stays as it is."""
        with self.lock():
            manifest = self._verified()
            self._copy.mkdir(parents=True, exist_ok=True)
            drafts = list(self._drafts(manifest))
            for draft, place in drafts:
                os.replace(draft, place)
            self._remove_others(manifest)

    # ---- what is verified

    def _verified(self) -> Manifest:
        try:
            text = _read(self._source / manifests.FILE, manifests.LARGEST)
            signatures = _read(self._source / manifests.SIGNATURES, 64 * 1024).split()[:_MOST_SIGNATURES]
        except OSError as error:
            raise self._refusal(
                f"its manifest cannot be read ({error}); its authors make one with `tradewind-agent bundles sign`"
            ) from None
        try:
            keys = list(trusted_keys(self._trusted))
        except OSError as error:
            raise self._refusal(f"the trusted keys cannot be read: {error}") from None
        if not any(_has_signed(key, one, text) for key in keys for one in signatures):
            raise self._refusal("no key that the site's owner trusts has signed its manifest")
        try:
            manifest = Manifest.parse(text)
        except ManifestWrong as wrong:
            raise self._refusal(f"its manifest cannot be used: {wrong}") from None
        if manifest.bundle != self.name:
            raise self._refusal(f"its manifest is that of bundle {manifest.bundle!r}")
        return manifest

    def _drafts(self, manifest: Manifest) -> Iterator[tuple[Path, Path]]:
        """Each file that the copy lacks or has otherwise, written beside its place; in the copy nothing changes yet."""
        for name, wanted in manifest.files.items():
            place = self._copy / name
            if _hash_of(place) == wanted:
                continue
            try:
                content = (self._source / name).read_bytes()
            except OSError as error:
                raise self._refusal(f"{name} cannot be read: {error.strerror or error}") from None
            if hashlib.sha256(content).hexdigest() != wanted:
                raise self._refusal(f"{name} is not the file that was signed")
            place.parent.mkdir(parents=True, exist_ok=True)
            draft = place.with_name(f"{place.name}{_DRAFT}")
            draft.write_bytes(content)
            yield draft, place

    def _remove_others(self, manifest: Manifest) -> None:
        kept = {self._copy / name for name in manifest.files}
        for folder, _, names in os.walk(self._copy):
            for name in names:
                found = Path(folder, name)
                # what Python has compiled is read for a file of the same name and time alone, and is made here
                if found not in kept and (name.endswith(".py") or "__pycache__" not in found.parts):
                    found.unlink(missing_ok=True)

    def _refusal(self, why: str) -> BundleRefused:
        return BundleRefused(f"bundle {self.name!r} does not run what is in {self._source}: {why}")


def trusted_keys(file: Path) -> Iterator[Ed25519PublicKey]:
    """The Ed25519 keys of a file; lines with anything else are passed over. Raises OSError."""
    for line in file.read_bytes().splitlines():
        try:
            key = load_ssh_public_key(line.strip())
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, Ed25519PublicKey):
            yield key


def _has_signed(key: Ed25519PublicKey, signature: bytes, text: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), manifests.signed(text))
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _hash_of(place: Path) -> str | None:
    try:
        return None if place.is_symlink() else hashlib.sha256(place.read_bytes()).hexdigest()
    except OSError:
        return None


def _read(file: Path, most: int) -> bytes:
    with open(file, "rb") as opened:
        content = opened.read(most + 1)
    if len(content) > most:
        raise OSError(f"{file} is larger than {most} bytes")
    return content
