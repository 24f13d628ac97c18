"""A bundle in a folder of which no file is read before it is verified: listed in a manifest that a key signed which the site's owner
trusts.

Airflow reads a copy, which has the files of the manifest and no others. What changes in the folder after it was verified
changes nothing. Whatever reads a bundle initializes it first: tasks, callbacks, the dag processor.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from airflow.dag_processing.bundles.base import BaseDagBundle

from tradewind_protocol import manifests, sigstore_bundles
from tradewind_protocol.manifest_signatures import Signature, in_lines, in_sigstore_bundle, trusted_keys
from tradewind_protocol.manifests import Manifest, ManifestWrong
from tradewind_protocol.sigstore_bundles import BundleWrong
from tradewind_runtime.airflow.owner_rules import VersionRefused


class BundleRefused(VersionRefused):
    """The site's owner does not let these files run."""


class VerifiedLocalDagBundle(BaseDagBundle):
    """A folder (`path`) as its authors signed it with `tradewind-agent bundles sign`, or with cosign.

    `trusted_keys`: a file of public keys: Ed25519 and ECDSA as OpenSSH writes them (`ssh-ed25519 AAAA… name`), one a line, and
    in PEM, as cosign writes them. One of them has to have signed. It is read each time, so that keys are replaced without a restart.
    """

    supports_versioning = False

    def __init__(self, *, path: str, trusted_keys: str, **more: Any) -> None:
        super().__init__(**more)
        for name, value in (("path", path), ("trusted_keys", trusted_keys)):
            if not os.path.isabs(value):
                raise ValueError(f"bundle {self.name!r}: {name} = {value!r} has to be an absolute path")
        self._source, self._trusted = Path(path), Path(trusted_keys)
        self._copy, self._drafts = self.base_dir / "verified", self.base_dir / "drafts"

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
            shutil.rmtree(self._drafts, ignore_errors=True)  # of a refresh that did not end
            self._drafts.mkdir(parents=True)
            try:
                drafts = list(self._drafted(manifest))
                self._remove_others(manifest)
                for draft, place in drafts:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(draft, place)
            finally:
                shutil.rmtree(self._drafts, ignore_errors=True)

    # ---- what is verified

    def _verified(self) -> Manifest:
        try:
            text = _plain(self._source / manifests.FILE, manifests.LARGEST)
            signatures = self._signatures(text)
        except OSError as error:
            raise self._refusal(
                f"its manifest cannot be read ({error}); its authors make one with `tradewind-agent bundles sign`"
            ) from None
        try:
            keys = trusted_keys(self._trusted.read_bytes())
        except OSError as error:
            raise self._refusal(f"the trusted keys cannot be read: {error}") from None
        if not any(one.is_of(key) for key in keys for one in signatures):
            raise self._refusal("no key that the site's owner trusts has signed its manifest")
        try:
            manifest = Manifest.parse(text)
        except ManifestWrong as wrong:
            raise self._refusal(f"its manifest cannot be used: {wrong}") from None
        if manifest.bundle != self.name:
            raise self._refusal(f"its manifest is that of bundle {manifest.bundle!r}")
        return manifest

    def _signatures(self, text: bytes) -> list[Signature]:
        """All that are beside the manifest: lines of ours, a Sigstore bundle, or both. Raises OSError when there are none."""
        found: list[Signature] = []
        bundle, lines = self._source / manifests.SIGSTORE, self._source / manifests.SIGNATURES
        if bundle.exists():
            try:
                found.append(in_sigstore_bundle(_plain(bundle, sigstore_bundles.LARGEST), text))
            except BundleWrong as wrong:
                if not lines.exists():
                    raise self._refusal(f"{manifests.SIGSTORE} cannot be used: {wrong}") from None
        if lines.exists() or not found:
            found += in_lines(_plain(lines, 64 * 1024), text)
        return found

    def _drafted(self, manifest: Manifest) -> Iterator[tuple[Path, Path]]:
        """Each file that the copy lacks or has otherwise, written outside of it; in the copy nothing changes yet."""
        for number, (name, wanted) in enumerate(manifest.files.items()):
            place = self._copy / name
            if self._has(place, wanted):
                continue
            try:
                content = _plain(self._source / name)
            except OSError as error:
                raise self._refusal(f"{name} cannot be read: {error.strerror or error}") from None
            if hashlib.sha256(content).hexdigest() != wanted:
                raise self._refusal(f"{name} is not the file that was signed")
            draft = self._drafts / str(number)
            draft.write_bytes(content)
            yield draft, place

    def _has(self, place: Path, wanted: str) -> bool:
        """Whether the copy has the file, by no link."""
        if any(one.is_symlink() for one in (place, *place.parents) if one.is_relative_to(self._copy)):
            return False
        try:
            return hashlib.sha256(_plain(place)).hexdigest() == wanted
        except OSError:
            return False

    def _remove_others(self, manifest: Manifest) -> None:
        """Leave nothing in the copy but the manifest's files and their folders: no link, and nothing that Python has compiled,
        since Python does not compare it with the file."""
        if self._copy.is_symlink():
            self._copy.unlink()
        self._copy.mkdir(parents=True, exist_ok=True)
        kept = {self._copy / name for name in manifest.files}
        numbers = itertools.count()
        folders = {self._copy, *(parent for one in kept for parent in one.parents)}
        for here, inside, names in os.walk(self._copy):
            for name in (*inside, *names):
                found = Path(here, name)
                if found.is_symlink() or (name in names and found not in kept):
                    found.unlink(missing_ok=True)
                elif name in inside and found not in folders:
                    # in one step, since a task that runs may be writing into it
                    os.rename(found, self._drafts / f"old-{next(numbers)}")
                    inside.remove(name)

    def _refusal(self, why: str) -> BundleRefused:
        return BundleRefused(f"bundle {self.name!r} does not run what is in {self._source}: {why}")


def _plain(file: Path, most: int | None = None) -> bytes:
    """The content of a plain file; a pipe is not waited for. Raises OSError."""
    with open(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError("it is no plain file")
        content = opened.read(-1 if most is None else most + 1)
    if most is not None and len(content) > most:
        raise OSError(f"{file} is larger than {most} bytes")
    return content
