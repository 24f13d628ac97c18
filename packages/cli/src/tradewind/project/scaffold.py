"""A new project: its files, from the templates that are shipped with the command."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tradewind.errors import BadUsage
from tradewind.project import settings

if TYPE_CHECKING:
    from importlib.abc import Traversable

_HIDDEN: Final = "dot_"
"""What a template's name begins with in place of a dot, which tools that pack packages leave out."""


def write(root: Path, *, name: str, python: str, version: str, dist: Path | None) -> list[Path]:
    """Write a project into a folder that is missing or empty, but for Git's own. Returns its files. Raises BadUsage otherwise."""
    if root.is_file():
        raise BadUsage(f"{root} is a file", remedy="Name a folder that does not exist yet.")
    if root.is_dir() and any(one.name != ".git" for one in root.iterdir()):
        raise BadUsage(f"{root} is not empty", remedy="Name a folder that does not exist yet.")
    values = {
        "@NAME@": name,
        "@PYTHON@": python,
        "@VERSION@": version,
        "@DIST@": "" if dist is None else _relative(dist, root),
    }
    written: list[Path] = []
    _copy(resources.files("tradewind.project") / "template", root, values, written)
    settings.read(root)
    return sorted(written)


def _copy(source: Traversable, target: Path, values: dict[str, str], written: list[Path]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for each in source.iterdir():
        name = each.name
        if name == "__pycache__":
            continue
        place = target / (f".{name.removeprefix(_HIDDEN)}" if name.startswith(_HIDDEN) else name)
        if each.is_dir():
            _copy(each, place, values, written)
            continue
        text = each.read_text(encoding="utf-8")
        for mark, value in values.items():
            text = text.replace(mark, value)
        place.write_text(text, encoding="utf-8")
        written.append(place)


def _relative(dist: Path, root: Path) -> str:
    """As seen from the project when it lies near, so that both can be moved together."""
    relative = os.path.relpath(dist.resolve(), root.resolve())
    return str(dist.resolve()) if relative.startswith("../../..") else relative


def beside(place: Path) -> Path | None:
    """The folder `dist` with the packages that `make dist` built, in `place`."""
    dist = place / "dist"
    return dist if is_dist(dist) else None


def is_dist(folder: Path) -> bool:
    """Whether `make dist` built this folder."""
    return (folder / "constraints.txt").is_file() and any(folder.glob("tradewind_protocol-*.whl"))
