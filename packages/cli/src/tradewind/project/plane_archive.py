"""The plane's half of a project as the archive that a platform takes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tradewind.errors import CommandError
from tradewind.project import contents, packages
from tradewind.project.settings import Project
from tradewind_protocol import plane_archives
from tradewind_protocol.plane_archives import DESCRIPTION, DIST, LOCK, BadArchive, Entry

_REMEDY = "A Deployment takes packages by version, from the index of its platform or as wheels in dist."


@dataclass(frozen=True)
class PlaneArchive:
    """What would be sent. The same files give the same digest on any machine."""

    digest: str
    airflow: str
    python: str
    files: Mapping[str, Path]

    def write(self, target: IO[bytes]) -> None:
        plane_archives.write(self.files, plane_archives.description(self.python), target)


def of(project: Project) -> PlaneArchive:
    """Of the plane as it is now; its lock is up to date. Raises CommandError for what a platform would refuse."""
    lock = project.plane.lock
    files = {LOCK: lock, **contents.plugin_files(project, project.plane)}
    try:
        versions = plane_archives.check_lock(lock.read_bytes())
        files.update({f"{DIST}/{wheel.name}": wheel for wheel in _wheels(project, lock)})
        entries = [plane_archives.entry(name, path) for name, path in files.items()]
    except BadArchive as problem:
        raise CommandError(f"the plane cannot be deployed: {problem}", remedy=_REMEDY) from None
    described = plane_archives.description(project.python)
    entries.append(Entry(DESCRIPTION, hashlib.sha256(described).hexdigest(), False))
    airflow = versions[plane_archives.AIRFLOW]
    return PlaneArchive(plane_archives.digest_of(entries), airflow, project.python, files)


def _wheels(project: Project, lock: Path) -> list[Path]:
    """Those of Tradewind that the lock names: others in the folder are not the plane's."""
    if project.dist is None:
        return []
    text = lock.read_text(encoding="utf-8")
    return [
        wheel
        for wheel in packages.wheels(project.dist)
        if hashlib.sha256(wheel.read_bytes()).hexdigest() in text
    ]
