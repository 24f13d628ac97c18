"""The folder that planes and agents of a test session live in, and with which modes tests make files."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


@contextmanager
def short(prefix: str = "tw-") -> Iterator[Path]:
    """A folder that other users can enter. Its path is short, because a unix socket's path may have 107 characters.

    Removed at the end, unless the variable TRADEWIND_TEST_KEEP is set.
    """
    made = Path(tempfile.mkdtemp(prefix=prefix))
    made.chmod(0o755)
    yield made
    if not os.environ.get("TRADEWIND_TEST_KEEP"):
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def same(name: str = "site") -> Iterator[Path]:
    """As `short`, and each time a new folder at the same path: what has been told of it once holds for the next test, too."""
    made = _place() / name
    made.mkdir(mode=0o755)
    yield made
    shutil.rmtree(made)


def kept(name: str) -> Path:
    """A folder of that name that all tests of this process share."""
    made = _place() / name
    made.mkdir(mode=0o755, exist_ok=True)
    return made


@cache
def _place() -> Path:
    made = Path(tempfile.mkdtemp(prefix="tw-"))
    made.chmod(0o755)
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@contextmanager
def umask(mode: int) -> Iterator[None]:
    """This process has it meanwhile, and its own again at the end."""
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)
