"""Backups of the databases of Deployments: files, each encrypted with a key of its own."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any, Final, Protocol

from tradewind_platform.domain.deploys import SPEC
from tradewind_platform.reconciler.driver import BackupFile, Document, StepFailed
from tradewind_platform.security import streams

PIECE: Final = 1 << 20
"""Bytes that are read at once."""


class Copies(Protocol):
    """How a kind of database is copied, and how a copy takes its place. Each method raises StepFailed."""

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""

    def ready(self) -> None:
        """What copying needs is there."""

    def copied(self, document: Document) -> AbstractContextManager[tuple[Mapping[str, str], Iterator[bytes]]]:
        """A whole state of the database, which may be written meanwhile: the revision of each chain of migrations, and
        the copy."""

    def verify(self, pieces: Iterator[bytes]) -> None:
        """Read a copy to its end: it is one."""

    def replace(self, document: Document, pieces: Iterator[bytes]) -> None:
        """Put a copy in the place of the database. Nothing of the Deployment may run."""

    def size(self, document: Document) -> int:
        """Bytes of the database."""


class Backups:
    """Below `directory`, readable for the driver only."""

    def __init__(self, directory: Path, copies: Copies) -> None:
        self._directory = directory
        self._copies = copies

    def make(self, document: Document) -> Mapping[str, Any]:
        """Make the backup of the operation, verified, with what is needed to read its database beside it. Returns its facts.
        Raises StepFailed, also when there is no room: what was written by then is erased."""
        backup = _asked(document)
        target = self._file(document, backup)
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for part in target.parent.glob("*.part"):
                part.unlink(missing_ok=True)  # of one that was killed: it takes the room of this one
            return {"backup": self._made(document, backup, target)}
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            why = f"the backup cannot be written to {target.parent}: {error.strerror}"
            raise StepFailed(f"{why}; make room there" if full else why, final=full) from None

    def _made(self, document: Document, backup: BackupFile, target: Path) -> Mapping[str, Any]:
        envelope = {
            "deployment": str(document.id),
            "version": document.before.get("version") or document.spec.get("version") or "",
            "database": self._copies.kind,
            "secrets": dict(document.secrets),  # without the Fernet key the rows are worth nothing
        }
        part = target.with_suffix(".part")
        try:
            with open(part, "wb", opener=private) as file:
                heads = self._write(document, backup, json.dumps(envelope).encode(), file)
            self._verify(backup, part)
            part.replace(target)
        except streams.Damaged as damage:
            raise StepFailed(f"the backup cannot be read back: {damage}") from None
        finally:
            part.unlink(missing_ok=True)
        return {
            "size": target.stat().st_size,
            "sha256": _sum(target),
            "heads": dict(heads),
            "database": envelope["database"],
            "version": envelope["version"],
            SPEC: dict(document.before.get(SPEC) or {}),  # the code goes with the database
        }

    def restore(self, document: Document) -> None:
        """The database is as it was when the backup was made. Nothing of the Deployment may run."""
        backup = _asked(document)
        file = self._file(document, backup)
        if not file.exists():
            raise StepFailed(f"{file} is missing", final=True)
        try:
            self._verify(backup, file)  # as a whole, before it takes the place of what is there
            with open(file, "rb") as source:
                pieces = _after_the_envelope(streams.decrypt(base64.b64decode(backup.key), source))
                self._copies.replace(document, pieces)
        except streams.Damaged as damage:
            raise StepFailed(f"the backup {backup.id} is damaged: {damage}", final=True) from None

    def forget(self, document: Document) -> None:
        """Erase every backup of the Deployment."""
        if self._below(document).exists():
            shutil.rmtree(self._below(document))

    def forget_old(self, document: Document) -> None:
        """Erase what the operation does not name as kept."""
        kept = set(document.arguments["kept"])
        for file in self._below(document).glob("*"):
            if file.stem not in kept:
                file.unlink(missing_ok=True)

    def room(self, document: Document) -> tuple[int, int]:
        """Bytes that are free where backups are kept, and bytes of the database. Raises StepFailed, also when no backup can
        be made."""
        self._copies.ready()
        directory = self._below(document)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return shutil.disk_usage(directory).free, self._copies.size(document)

    # ---- parts

    def _write(
        self, document: Document, backup: BackupFile, envelope: bytes, file: IO[bytes]
    ) -> Mapping[str, str]:
        first = len(envelope).to_bytes(4, "big") + envelope
        with self._copies.copied(document) as (heads, pieces):
            streams.encrypt(base64.b64decode(backup.key), _chained(first, pieces), file)
        return heads

    def _verify(self, backup: BackupFile, file: Path) -> None:
        """It decrypts as a whole, and what is in it is a copy. Raises Damaged and StepFailed."""
        with open(file, "rb") as source:
            self._copies.verify(_after_the_envelope(streams.decrypt(base64.b64decode(backup.key), source)))

    def _below(self, document: Document) -> Path:
        return self._directory / document.slug

    def _file(self, document: Document, backup: BackupFile) -> Path:
        return self._below(document) / f"{backup.id}.backup"


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


def pieces_of(source: IO[bytes]) -> Iterator[bytes]:
    """What can be read from it, in pieces."""
    while piece := source.read(PIECE):
        yield piece


def _sum(file: Path) -> str:
    found = hashlib.sha256()
    with open(file, "rb") as source:
        for piece in pieces_of(source):
            found.update(piece)
    return found.hexdigest()


def private(name: str, flags: int) -> int:
    """Opens a file that its owner alone reads."""
    return os.open(name, flags, 0o600)
