"""What all processes of a run of pytest have in common: files that one of them makes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_FOLDER: Final = "TRADEWIND_TEST_RUN"


def begin(folder: str) -> None:
    """The processes that this one starts share the folder, a new one, which is gone when the run ends."""
    if _FOLDER not in os.environ:
        os.mkdir(folder)
        os.environ[_FOLDER] = folder


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The file of that name, which the first process that asks for it makes; the others wait for it."""
    folder = _folder()
    file = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            half = folder / f"{name}.part"
            half.unlink(missing_ok=True)
            make(half)
            half.rename(file)
    return file


@cache
def _folder() -> Path:
    place = os.environ.get(_FOLDER)
    return Path(place or _own().name)


@cache
def _own() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="tw-")
