"""Backups of the databases of Deployments: files of this machine, each encrypted with a key of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from tradewind_platform.local.dumps import dumped, heads_of, load, verify
from tradewind_platform.local.planes import Planes
from tradewind_platform.reconciler.driver import BackupFile, Document, StepFailed
from tradewind_platform.security import streams

_PIECE: Final = 1 << 20

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


class Backups:
    """Below `backups` of the cluster's home. The user of a Deployment reads none."""

    def __init__(self, planes: Planes) -> None:
        self._planes = planes

    def make(self, document: Document) -> Mapping[str, Any]:
        """Make the backup of the operation, verified, with what is needed to read its database beside it. Returns its facts."""
        backup = _asked(document)
        target = self._file(document, backup)
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        envelope = {
            "deployment": str(document.id),
            "version": document.before.get("version") or document.spec.get("version") or "",
            "database": "sqlite" if self._planes.databases is None else "postgresql",
            "secrets": dict(document.secrets),  # without the Fernet key the rows are worth nothing
        }
        part = target.with_suffix(".part")
        with open(part, "wb", opener=_private) as file:
            heads = self._write(document, backup, json.dumps(envelope).encode(), file)
        self._verify(document, backup, part)
        part.replace(target)
        facts = {
            "size": target.stat().st_size,
            "sha256": _sum(target),
            "heads": heads,
            "database": envelope["database"],
            "version": envelope["version"],
        }
        return {"backup": facts}

    def restore(self, document: Document) -> None:
        """The database is as it was when the backup was made. Nothing of the Deployment may run."""
        backup = _asked(document)
        file = self._file(document, backup)
        if not file.exists():
            raise StepFailed(f"{file} is missing", final=True)
        try:
            with open(file, "rb") as source:
                pieces = _after_the_envelope(streams.decrypt(base64.b64decode(backup.key), source))
                if self._planes.databases is None:
                    self._restore_file(document, pieces)
                else:
                    load(self._planes.databases, document, pieces)
        except streams.Damaged as damage:
            raise StepFailed(f"the backup {backup.id} is damaged: {damage}", final=True) from None

    def forget(self, document: Document) -> None:
        """Erase every backup of the Deployment."""
        if self._directory(document).exists():
            shutil.rmtree(self._directory(document))

    def forget_old(self, document: Document) -> None:
        """Erase what the operation does not name as kept."""
        kept = set(document.arguments["kept"])
        for file in self._directory(document).glob("*"):
            if file.stem not in kept:
                file.unlink(missing_ok=True)

    def room(self, document: Document) -> tuple[int, int]:
        """Bytes that are free where backups are kept, and bytes of the database. Raises StepFailed."""
        directory = self._directory(document)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._planes.databases is not None:
            size = self._planes.databases.size(document.slug)
        else:
            database = self._database(document)
            size = database.stat().st_size if database.exists() else 0
        return shutil.disk_usage(directory).free, size

    # ---- parts

    def _write(self, document: Document, backup: BackupFile, envelope: bytes, file: IO[bytes]) -> Any:
        first = len(envelope).to_bytes(4, "big") + envelope
        if self._planes.databases is not None:
            heads = heads_of(self._planes.databases, document)
            streams.encrypt(
                base64.b64decode(backup.key), _chained(first, dumped(self._planes.databases, document)), file
            )
            return heads
        copy = self._planes.home(document) / "backup.copy"
        copy.unlink(missing_ok=True)
        try:
            heads = json.loads(self._planes.run(document, _COPY, self._database(document), copy))
            with open(copy, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW)) as source:
                streams.encrypt(base64.b64decode(backup.key), _chained(first, _pieces(source)), file)
        finally:
            copy.unlink(missing_ok=True)
        return heads

    def _verify(self, document: Document, backup: BackupFile, file: Path) -> None:
        """It decrypts as a whole, and a dump has a table of contents."""
        try:
            with open(file, "rb") as source:
                pieces = streams.decrypt(base64.b64decode(backup.key), source)
                rest = _after_the_envelope(pieces)
                if self._planes.databases is not None:
                    verify(rest)
                else:
                    for _ in rest:
                        pass
        except streams.Damaged as damage:
            raise StepFailed(f"the backup cannot be read back: {damage}") from None

    def _restore_file(self, document: Document, pieces: Iterator[bytes]) -> None:
        database, user = self._database(document), self._planes.user(document)
        part = database.with_name("airflow.db.restored")
        part.unlink(missing_ok=True)
        with open(part, "xb", opener=_private) as file:
            if user is not None:
                os.fchown(file.fileno(), user, user)
            for piece in pieces:
                file.write(piece)
        for suffix in ("-wal", "-shm", "-journal"):
            database.with_name(f"{database.name}{suffix}").unlink(missing_ok=True)
        part.replace(database)

    def _database(self, document: Document) -> Path:
        return self._planes.home(document) / "airflow.db"

    def _directory(self, document: Document) -> Path:
        return self._planes.settings.home / "backups" / document.slug

    def _file(self, document: Document, backup: BackupFile) -> Path:
        return self._directory(document) / f"{backup.id}.backup"


def _asked(document: Document) -> BackupFile:
    if document.backup is None:
        raise StepFailed("the backup is not known any more", final=True)
    return document.backup


def _after_the_envelope(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What follows the envelope, which has a length in front."""
    kept = b""
    for piece in pieces:
        kept += piece
        if len(kept) >= 4 and len(kept) >= 4 + (size := int.from_bytes(kept[:4], "big")):
            return _chained(kept[4 + size :], pieces)
    raise streams.Damaged("it has no envelope")


def _chained(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(_PIECE):
        yield piece


def _sum(file: Path) -> str:
    found = hashlib.sha256()
    with open(file, "rb") as source:
        for piece in _pieces(source):
            found.update(piece)
    return found.hexdigest()


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
