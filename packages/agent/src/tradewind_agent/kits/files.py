"""Files that are whole or absent, and held by one process."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make a folder that no other user can enter, mode 0700; one that is there and empty becomes so.

    One that holds files is left as it is: it may not be ours alone. Raises OSError.
    """
    try:
        folder.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        found = folder.stat()
        if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not any(folder.iterdir()):
            folder.chmod(0o700)


def write_whole(path: Path, text: str) -> None:
    """Replace a file's content so that a reader sees the old one or the new one, never a part. Mode 0600."""
    # A name that no other user can have taken: a file or a link of theirs would get the text.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(
            os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_once(path: Path, text: str) -> None:
    """Make a file with this content unless there is one, whole and in one step: of two who do so, one wins. Mode 0600."""
    # Not named by the pid: containers that share the folder repeat theirs.
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    write_whole(beside, text)
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock file while inside. Raises BlockingIOError when another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
