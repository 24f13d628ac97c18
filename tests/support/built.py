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


def version() -> str:
    """Of what is built."""
    return (ROOT / "VERSION").read_text(encoding="utf-8").strip()


class Page:
    """A page of the docs. Its commands and settings are taken from it as they stand."""

    def __init__(self, name: str) -> None:
        self.name = name
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
        self._blocks = [
            (language, re.sub(f"^{indent}", "", block, flags=re.MULTILINE))
            for indent, language, block in found
        ]

    def block(self, beginning: str, language: str = "") -> str:
        """The fenced block of a language that has a line with that beginning."""
        for written_in, found in self._blocks:
            if written_in == language and any(line.startswith(beginning) for line in found.splitlines()):
                return str(found)
        raise LookupError(f"docs/{self.name} has no block with a line that begins with {beginning!r}")
