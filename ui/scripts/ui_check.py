"""Prove that the committed page is built from the committed source.

Without Node: the hash of the sources is the one the bundle names. With Node and the locked packages installed
(`make ui` does that): the bundle is built anew and compared byte for byte.
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

UI = Path(__file__).resolve().parents[1]
BUNDLE = UI.parent / "packages/provider/src/tradewind_provider/ui/remote-agents.js"
SINGLE = ("package-lock.json", "package.json", "scripts/sources.js", "tsconfig.json", "vite.config.js")


def sources_hash(ui: Path = UI) -> str:
    """The hash of everything the bundle is built from, as `scripts/sources.js` computes it."""
    below = (path.relative_to(ui).as_posix() for path in (ui / "src").rglob("*") if path.is_file())
    digest = hashlib.sha256()
    for name in sorted([*below, *SINGLE]):
        digest.update(name.encode() + b"\0" + (ui / name).read_bytes() + b"\0")
    return digest.hexdigest()


def named_hash(bundle: Path = BUNDLE) -> str:
    """The hash the bundle says it was built from; empty when it says nothing."""
    found = re.search(rb"built from ([0-9a-f]{64})", bundle.read_bytes()[:500])
    return found[1].decode() if found else ""


def rebuilt() -> bytes:
    """The bundle, built now."""
    with tempfile.TemporaryDirectory() as out:
        subprocess.run(
            ["npm", "run", "--silent", "build"],
            cwd=UI,
            env={**os.environ, "TRADEWIND_UI_OUT": out},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return (Path(out) / BUNDLE.name).read_bytes()


def main() -> int:
    if sources_hash() != named_hash():
        print(
            "the page's bundle is not built from this source: run `make ui` and commit what changes",
            file=sys.stderr,
        )
        return 1
    if shutil.which("npm") is None or not (UI / "node_modules").is_dir():
        print("the bundle names the hash of these sources (not rebuilt: no Node or no ui/node_modules here)")
        return 0
    if rebuilt() != BUNDLE.read_bytes():
        print(
            "the bundle differs from what this source builds to: run `make ui` and commit it", file=sys.stderr
        )
        return 1
    print("the bundle is what this source builds to, byte for byte")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
