"""What goes into an image, file by file, and the address that follows from it: the same contents have the same tag."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tradewind.errors import CommandError
from tradewind.project import packages
from tradewind.project.settings import Part, Project
from tradewind_protocol.plane_archives import PLUGINS, is_executable

_LEFT_OUT: Final = ("__pycache__", ".git", ".DS_Store", "dev.env", ".gitkeep")
_EPOCH: Final = 315532800  # 1980-01-01: files of a context have no time, so that layers are the same


@dataclass(frozen=True)
class Contents:
    """The context of an image's build: path inside → file."""

    files: Mapping[str, Path]
    folders: tuple[str, ...]  # that have to be there, files in them or not
    address: str

    def stage(self, folder: Path) -> None:
        """Write the context into a folder, which is made anew."""
        shutil.rmtree(folder, ignore_errors=True)
        for name in self.folders:
            (folder / name).mkdir(parents=True)
        for name, source in self.files.items():
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
            place.chmod(0o755 if is_executable(source) else 0o644)
        for place in (folder, *folder.rglob("*")):
            os.utime(place, (_EPOCH, _EPOCH))


def of(project: Project, part: Part, *, platform: str = "") -> Contents:
    """The contents of a part's image. Its lock is up to date. Raises CommandError for a file that is missing."""
    files: dict[str, Path] = {}
    named = ["Containerfile", "packages.txt", "requirements.lock"]
    if part.role == "site":
        named.append("agent.toml")
        files.update(_below(part.folder / "dags", "dags"))
    files.update(plugin_files(project, part))
    for name in named:
        if not (part.folder / name).is_file():
            raise CommandError(
                f"{part.folder / name} is missing",
                remedy="`tradewind project init` writes one; compare with that.",
            )
        files[name] = part.folder / name
    address = _address(files, part.base, platform, project.python)
    if project.dist is not None:  # not part of the address: the lock has their hashes
        files.update({f"dist/{wheel.name}": wheel for wheel in packages.wheels(project.dist)})
    folders = ("dist", "plugins", *(("dags",) if part.role == "site" else ()))
    return Contents(files, folders, address)


def plugin_files(project: Project, part: Part) -> dict[str, Path]:
    """The part's plugins, the timetables of both among them, by their names below `plugins/`."""
    return {
        **_below(part.folder / "plugins", PLUGINS),
        **_below(project.plane.folder / "timetables", PLUGINS),
    }


def plugins(project: Project, part: Part, folder: Path) -> Path:
    """The part's plugins folder as its image has it, for processes that run here."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, source in plugin_files(project, part).items():
        place = folder / Path(name).relative_to(PLUGINS)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
    return folder


def _below(folder: Path, inside: str) -> dict[str, Path]:
    return {str(Path(inside) / path.relative_to(folder)): path for path in _files(folder)}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and path.suffix != ".pyc" and not any(part in _LEFT_OUT for part in parts):
            yield path


def _address(files: Mapping[str, Path], *made_of: str) -> str:
    lines = [*made_of]
    for name, path in sorted(files.items()):
        mode = "x" if is_executable(path) else "-"
        lines.append(f"{mode}{hashlib.sha256(path.read_bytes()).hexdigest()} {name}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
