"""Copies of a platform's SQLite database."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path


def copy(source: Path, target: Path) -> int:
    """A whole state of a database, also of one that is written meanwhile, as a file for its owner only. Returns its bytes. An
    interrupted copy leaves no target. Raises FileExistsError, and sqlite3.Error for what is no whole database."""
    if target.exists():
        raise FileExistsError(f"{target} is there")
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        with (
            closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=60)) as here,
            closing(sqlite3.connect(part)) as there,
        ):
            here.backup(there)
            there.execute("PRAGMA journal_mode = DELETE")
            [found] = there.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def replace(target: Path, by: Path) -> None:
    """Put a database in the place of another one, which nothing has open."""
    with closing(sqlite3.connect(by)) as new:
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        new.execute("PRAGMA journal_mode = DELETE")
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
        by.with_name(by.name + suffix).unlink(missing_ok=True)
    by.replace(target)
