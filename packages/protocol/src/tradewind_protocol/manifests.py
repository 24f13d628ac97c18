"""What a bundle's files are, in a form that its authors sign: a manifest with the hash of each file, and signatures beside it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

FILE: Final = "tradewind-manifest.json"
SIGNATURES: Final = "tradewind-manifest.sig"
"""Beside the manifest: one signature a line, in base64, of Ed25519 over `signed`."""

SIGSTORE: Final = "tradewind-manifest.sigstore.json"
"""Beside the manifest, instead or as well: a Sigstore bundle of the manifest itself (`sigstore_bundles`)."""

OURS: Final = frozenset({FILE, SIGNATURES, SIGSTORE})
"""Files that a manifest does not list."""

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a manifest."""

_VERSION: Final = 1
_PURPOSE: Final = b"tradewind manifest 1\n"
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class ManifestWrong(ValueError):
    """A text that is no manifest, or not that of this bundle."""


@dataclass(frozen=True)
class Manifest:
    """The files of one version of a bundle: SHA-256 by path, relative to the bundle."""

    bundle: str
    files: Mapping[str, str]

    def text(self) -> bytes:
        """As it is written and signed. Equal manifests have equal texts."""
        document = {"version": _VERSION, "bundle": self.bundle, "files": dict(sorted(self.files.items()))}
        return json.dumps(document, indent=1, ensure_ascii=True).encode() + b"\n"

    @classmethod
    def parse(cls, text: bytes) -> Manifest:
        """Raises ManifestWrong, also for a path that leads out of the bundle."""
        try:
            read = json.loads(text)
        except (ValueError, RecursionError):
            raise ManifestWrong("it is no JSON") from None
        if not isinstance(read, dict) or read.get("version") != _VERSION:
            raise ManifestWrong(f"it is no manifest of version {_VERSION}")
        bundle, files = read.get("bundle"), read.get("files")
        if not isinstance(bundle, str) or not bundle or not isinstance(files, dict):
            raise ManifestWrong("it has no `bundle` or no `files`")
        for path, found in files.items():
            if not is_inside(path):
                raise ManifestWrong(f"{path[:200]!r} is no path of a file in a bundle")
            if not isinstance(found, str) or not _HASH.fullmatch(found):
                raise ManifestWrong(f"the hash of {path[:200]!r} is none")
        return cls(bundle, files)


def signed(manifest: bytes) -> bytes:
    """What a signature is over: a signature for another purpose is none for a manifest."""
    return _PURPOSE + hashlib.sha256(manifest).digest()


def is_inside(path: str) -> bool:
    """Whether a path names a file below the bundle's folder in one way only, and not the manifest itself."""
    parts = PurePosixPath(path).parts
    return (
        bool(parts)
        and path == "/".join(parts)
        and not path.startswith("/")
        and ".." not in parts
        and path.isprintable()
        and "\\" not in path
        and path not in OURS
    )
