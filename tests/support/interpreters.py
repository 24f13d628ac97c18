"""Which Pythons this machine has, for what depends on the version."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_VERSION = "import sys; print(*sys.version_info[:2])"


def at_least(version: tuple[int, int]) -> Path | None:
    """The first interpreter of that version or a later one that we support: the present one, those on the path, those of pyenv. None where
    there is none."""
    if sys.version_info >= version:
        return Path(sys.executable)
    return next((one for one in _others(version) if _of(one) >= version), None)


def _others(version: tuple[int, int]) -> Iterator[Path]:
    for minor in range(version[1], 14):
        if found := shutil.which(f"python3.{minor}"):
            yield Path(found)
        root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
        yield from sorted(root.glob(f"versions/3.{minor}.*/bin/python3"))


def _of(interpreter: Path) -> tuple[int, ...]:
    """(0,) for one that does not start."""
    try:
        done = subprocess.run(
            [interpreter, "-c", _VERSION], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60
        )
    except OSError:
        return (0,)
    return tuple(map(int, done.stdout.split())) or (0,)
