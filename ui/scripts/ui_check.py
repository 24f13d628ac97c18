"""Prove that the committed pages are built from the committed source.

Without Node: the hash of the sources is the one that each bundle names. With Node and the locked packages installed
(`make ui` does that): the bundles are built anew and compared byte for byte.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

UI = Path(__file__).resolve().parents[1]
PACKAGES = UI.parent / "packages"
SHARED = ("package-lock.json", "package.json", "scripts/sources.js", "tsconfig.json")
SUFFIXES = (".ts", ".tsx")


class Bundle(NamedTuple):
    """A script that is built of `ui/src` with a Vite file of its own."""

    path: Path
    config: str
    without: str | None = None  # what below src it has nothing of
    beside: tuple[str, ...] = ()  # files that are built with it


PROVIDER = Bundle(
    PACKAGES / "provider/src/tradewind_provider/ui/remote-agents.js",
    "vite.config.js",
    without="src/platform/",
)
PLATFORM = Bundle(
    PACKAGES / "platform/src/tradewind_platform/ui/platform.js",
    "vite.platform.config.js",
    beside=("third-party-licenses.md",),
)


def sources_hash(bundle: Bundle, ui: Path = UI) -> str:
    """The hash of everything that the bundle is built from, as `scripts/sources.js` computes it."""
    below = (path.relative_to(ui).as_posix() for path in (ui / "src").rglob("*") if path.suffix in SUFFIXES)
    digest = hashlib.sha256()
    for name in sorted([*below, *SHARED, bundle.config]):
        if bundle.without is None or not name.startswith(bundle.without):
            digest.update(name.encode() + b"\0" + (ui / name).read_bytes() + b"\0")
    return digest.hexdigest()


def named_hash(bundle: Bundle) -> str:
    """The hash that the bundle says it was built from; empty when it says nothing."""
    found = re.search(rb"built from ([0-9a-f]{64})", bundle.path.read_bytes()[:500])
    return found[1].decode() if found else ""


def differing(bundles: tuple[Bundle, ...]) -> list[str]:
    """The committed files that are another thing than what is built now."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(
            ["npm", "run", "--silent", "build"],
            cwd=UI,
            env={**os.environ, "TRADEWIND_UI_OUT": out},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        files = [
            bundle.path.with_name(name) for bundle in bundles for name in (bundle.path.name, *bundle.beside)
        ]
        return [file.name for file in files if file.read_bytes() != (Path(out) / file.name).read_bytes()]


def main() -> int:
    bundles = (PROVIDER, PLATFORM)
    stale = [each.path.name for each in bundles if sources_hash(each) != named_hash(each)]
    if stale:
        print(
            f"not built from this source: {', '.join(stale)}. Run `make ui` and commit what changes",
            file=sys.stderr,
        )
        return 1
    if shutil.which("npm") is None or not (UI / "node_modules").is_dir():
        print("the bundles name the hash of these sources (not rebuilt: no Node or no ui/node_modules here)")
        return 0
    changed = differing(bundles)
    if changed:
        print(
            f"not what this source builds to: {', '.join(changed)}. Run `make ui` and commit it",
            file=sys.stderr,
        )
        return 1
    print("the bundles are what this source builds to, byte for byte")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
