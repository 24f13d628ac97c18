"""Copies of the SQLite files of Deployments."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tradewind_platform.drivers.backups import pieces_of, private
from tradewind_platform.local.planes import Planes
from tradewind_platform.reconciler.driver import Document

_COPY: Final = """
import json, sqlite3, sys
source = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=60)
target = sqlite3.connect(sys.argv[2])
source.backup(target)
[found] = target.execute("PRAGMA quick_check(1)").fetchone()
assert found == "ok", found
tables = [row[0] for row in target.execute("SELECT name FROM sqlite_master WHERE name LIKE '%alembic_version'")]
print(json.dumps({table: target.execute(f"SELECT version_num FROM {table}").fetchone()[0] for table in tables}))
"""
"""SQLite's own backup, which takes a whole state of a database that is being written. Run as the Deployment's user, so that a
link which that user has put in the place of its database leads to nothing that it may not read."""


class SqliteCopies:
    """Made as the Deployment's user, in its home, and gone once they are read."""

    kind: Final = "sqlite"

    def __init__(self, planes: Planes) -> None:
        self._planes = planes

    def ready(self) -> None:
        """Always: Python brings what it needs."""

    @contextmanager
    def copied(self, document: Document) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """The revision of each chain of migrations, and the file. Raises StepFailed."""
        copy = self._planes.home(document) / "backup.copy"
        copy.unlink(missing_ok=True)
        try:
            heads = json.loads(self._planes.run(document, _COPY, self._database(document), copy))
            with open(copy, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW)) as source:
                yield heads, pieces_of(source)
        finally:
            copy.unlink(missing_ok=True)

    def verify(self, pieces: Iterator[bytes]) -> None:
        """Read it to its end. The copy itself was checked when it was made."""
        for _ in pieces:
            pass

    def replace(self, document: Document, pieces: Iterator[bytes]) -> None:
        """Put it in the place of the database, of the Deployment's user."""
        database, user = self._database(document), self._planes.user(document)
        part = database.with_name("airflow.db.restored")
        part.unlink(missing_ok=True)
        with open(part, "xb", opener=private) as file:
            if user is not None:
                os.fchown(file.fileno(), user, user)
            for piece in pieces:
                file.write(piece)
        for suffix in ("-wal", "-shm", "-journal"):
            database.with_name(f"{database.name}{suffix}").unlink(missing_ok=True)
        part.replace(database)

    def size(self, document: Document) -> int:
        """Bytes of the file; 0 when there is none."""
        database = self._database(document)
        return database.stat().st_size if database.exists() else 0

    def _database(self, document: Document) -> Path:
        return self._planes.home(document) / "airflow.db"
