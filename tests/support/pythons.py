"""The Pythons of this machine that Tradewind supports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SUPPORTED = tuple((3, minor) for minor in range(10, 14))


@cache
def found() -> dict[tuple[int, int], Path]:
    """An interpreter of each supported version that is here, this process's own among them. Oldest first."""
    places = {version: path for version in SUPPORTED for path in _places(version) if _is(path, version)}
    own = sys.version_info[:2]
    return dict(
        sorted({**places, **({own: Path(sys.executable).resolve()} if own not in places else {})}.items())
    )


def oldest() -> Path:
    return next(iter(found().values()))


def newest() -> Path:
    return list(found().values())[-1]


def _places(version: tuple[int, int]) -> Iterator[Path]:
    name = "python{}.{}".format(*version)
    yield from (Path(folder) / name for folder in os.environ.get("PATH", "").split(os.pathsep) if folder)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")  # whose shims run one version only
    yield from (each / "bin" / name for each in (pyenv / "versions").glob("{}.{}.*".format(*version)))


def _is(path: Path, version: tuple[int, int]) -> bool:
    """Whether it is such a Python and has what a virtual environment and Airflow need."""
    if not path.is_file() or path.parents[1] == Path(sys.prefix):
        return False
    script = "import ssl, sqlite3, venv, ensurepip, sys; print(*sys.version_info[:2])"
    done = subprocess.run([str(path), "-c", script], text=True, capture_output=True, check=False)
    return done.returncode == 0 and done.stdout.split() == [str(part) for part in version]
