"""The release before this one, built of this repository's history by its own scripts.

Nothing is released yet. So the release before is the oldest commit that a plane can be upgraded from: since then each of its
migrations has stayed as it was. It is built under a lower version, so that an installer sees an upgrade.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

from support import built
from support.installed import ROOT

VERSION = "0.0.9"
MIGRATIONS = "packages/provider/src/tradewind_provider/store/migrations/versions"
FIRST = "f015be9"
"""The first commit that may stand for a release. Before there is one it moves on when a change cannot do without: since this
one, what an agent seals is bound to its Deployment, and agents before it open none of that."""


class NoHistory(Exception):
    """This checkout does not have the commits that a release before this one could be built of."""


def commit_before() -> str:
    """The commit that stands for the release before. Raises NoHistory in a shallow clone, or in none."""
    if _git("diff", "--name-only", "--diff-filter=MD", "HEAD", "--", MIGRATIONS):
        raise NoHistory("a migration is changed and not committed")
    changed = _git("log", "-1", "--format=%H", "--diff-filter=MDRT", f"{FIRST}..HEAD", "--", MIGRATIONS)
    return _git("rev-parse", changed.decode().strip() or FIRST).decode().strip()


def built_before() -> Path:
    """Its `dist/`. Kept in `build/`, as environments are. Raises NoHistory where it cannot be built."""
    commit = commit_before()
    kept = ROOT / "build" / "releases" / f"{commit[:12]}-{VERSION}"
    if not (kept / "dist" / "SHA256SUMS").exists():
        unfinished = kept.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        with tarfile.open(fileobj=BytesIO(_git("archive", commit))) as tree:
            tree.extractall(unfinished / "tree", filter="data")
        (unfinished / "tree" / "VERSION").write_text(f"{VERSION}\n")
        env = {**os.environ, "PATH": f"{built.UV.parent}{os.pathsep}{os.environ['PATH']}"}
        for script, *options in (
            ("versions.py",),
            ("dist.py", "--without-sboms", "--out", str(unfinished / "dist")),
        ):
            command = [sys.executable, str(unfinished / "tree" / "scripts" / script), *options]
            done = subprocess.run(command, env=env, text=True, capture_output=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
        shutil.rmtree(kept, ignore_errors=True)
        unfinished.rename(kept)
    return kept / "dist"


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=False)
    if done.returncode != 0:
        raise NoHistory(f"git {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
