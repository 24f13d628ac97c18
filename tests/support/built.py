"""What is published, as `make dist` builds it, and the pages that say how to install it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from support.installed import ROOT

UV = ROOT / ".tools" / "bin" / "uv"


def build(out: Path, *options: str, **env: str) -> Path:
    """Run `make dist`'s script. Returns `out`."""
    command = [sys.executable, str(ROOT / "scripts" / "dist.py"), "--out", str(out), *options]
    done = subprocess.run(command, env={**os.environ, **env}, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


class Page:
    """A page of the docs. Its commands and settings are taken from it as they stand."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._text = (ROOT / "docs" / name).read_text(encoding="utf-8")

    def block(self, beginning: str, language: str = "") -> str:
        """The fenced block that has a line with that beginning."""
        for found in re.finditer(rf"^```{language}\n(.*?)^```$", self._text, re.DOTALL | re.MULTILINE):
            if any(line.startswith(beginning) for line in found[1].splitlines()):
                return found[1]
        raise LookupError(f"docs/{self.name} has no block with a line that begins with {beginning!r}")
