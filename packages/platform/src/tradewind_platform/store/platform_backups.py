"""A backup of a platform: one file with its database, and the archives of code that was deployed."""

from __future__ import annotations

import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tradewind_platform.store import copies
from tradewind_platform.store.plane_archives import PlaneArchives

_DATABASE: Final = "platform.db"
_ARCHIVES: Final = "archives/"
_SQLITE: Final = b"SQLite format 3\x00"


class NoBackup(Exception):
    """The file is no backup of a platform, or not a whole one."""


@dataclass(frozen=True)
class Written:
    """What a backup has."""

    size: int
    archives: int


def write(database: Path, archives: PlaneArchives, target: Path) -> Written:
    """A backup of a platform that may run meanwhile, as a file for its owner only. An interrupted one leaves no target.

    Raises FileExistsError, and sqlite3.Error for what is no whole database.
    """
    if target.exists():
        raise FileExistsError(f"{target} is there")
    part, copied = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.db")
    copied.unlink(missing_ok=True)
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        copies.copy(database, copied)
        count = 0
        with tarfile.open(part, "w") as tar:
            tar.add(copied, _DATABASE)
            for name, file in archives.files():
                if not file.exists():
                    continue  # a newer deploy has replaced it meanwhile
                tar.add(file, _ARCHIVES + name)
                count += name.endswith(".tar.gz")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
        copied.unlink(missing_ok=True)
    return Written(target.stat().st_size, count)


def take_database(file: Path, target: Path) -> None:
    """The database of a backup as a new file. A backup of a release before is a database itself.

    Raises NoBackup, FileExistsError, and sqlite3.Error for what is no whole database.
    """
    with file.open("rb") as opened:
        if opened.read(len(_SQLITE)) == _SQLITE:
            copies.copy(file, target)
            return
    taken = target.with_name(f"{target.name}.taken")
    taken.unlink(missing_ok=True)
    try:
        os.close(os.open(taken, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            with tarfile.open(file, "r:") as tar:
                member = tar.extractfile(_DATABASE)
                if member is None:
                    raise NoBackup(f"{file} has no database")
                with taken.open("wb") as there:
                    shutil.copyfileobj(member, there)
        except (tarfile.TarError, KeyError) as error:
            raise NoBackup(f"{file} is no backup: {error}") from None
        copies.copy(taken, target)
    finally:
        taken.unlink(missing_ok=True)


def put_archives_back(file: Path, archives: PlaneArchives) -> int:
    """Keep the archives of a backup again; those that are there stay. Returns how many came back. Raises NoBackup."""
    with file.open("rb") as opened:
        if opened.read(len(_SQLITE)) == _SQLITE:
            return 0
    count = 0
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None or not member.name.startswith(_ARCHIVES):
                    continue
                if archives.put_back(member.name.removeprefix(_ARCHIVES), content):
                    count += member.name.endswith(".tar.gz")
    except (tarfile.TarError, ValueError) as error:
        raise NoBackup(f"{file} is no backup: {error}") from None
    return count
