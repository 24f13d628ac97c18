"""`tradewind.toml`, and where the parts of a project are."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tradewind.errors import BadUsage

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE: Final = "tradewind.toml"
KEPT: Final = ".tradewind"
"""The folder of a project with what was made of it: ignored by Git, safe to delete."""

Role = Literal["plane", "site"]
ROLES: Final[tuple[Role, ...]] = ("plane", "site")

PACKAGE: Final[Mapping[Role, str]] = {"plane": "tradewind-provider[postgres]", "site": "tradewind-runtime"}
"""What is ours in each part's environment."""

_NAME: Final = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")  # of an image's repository
_TOP: Final = ("name", "python", "tradewind", "dist", *ROLES)
_PART: Final = ("base", "image")


@dataclass(frozen=True)
class Part:
    """The plane's or the site's half of a project."""

    role: Role
    folder: Path
    base: str  # the image that its Containerfile begins from
    image: str  # the name of its image, without registry and tag

    @property
    def requirements(self) -> Path:
        return self.folder / "requirements.txt"

    @property
    def lock(self) -> Path:
        return self.folder / "requirements.lock"


@dataclass(frozen=True)
class Project:
    """A project as its file says."""

    root: Path
    name: str
    python: str  # minor version: "3.12"
    tradewind: str  # version of Tradewind on both planes
    dist: Path | None  # folder that `make dist` built; None: from the package index
    plane: Part
    site: Part

    @property
    def kept(self) -> Path:
        return self.root / KEPT

    def part(self, role: Role) -> Part:
        return self.plane if role == "plane" else self.site

    @property
    def agent_settings(self) -> Path:
        return self.site.folder / "agent.toml"


def found(start: Path) -> Project:
    """The project that `start` is in. Raises BadUsage when there is none, or its file makes no sense."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE).is_file():
            return read(folder)
    raise BadUsage(
        f"{start.resolve()} is in no project: there is no {FILE} here or above",
        remedy="Make one with `tradewind project init NAME`, or name its folder with --project.",
    )


def read(root: Path) -> Project:
    """The project in that folder. Raises BadUsage, which names what is wrong in its file."""
    values = toml(root / FILE)
    _check_names(values, _TOP, "")
    name = _text(values, "name", root.name)
    if not _NAME.fullmatch(name):
        raise _wrong(
            f"name is {name!r}; it names images", "Use lower-case letters, digits, and - or _ between them."
        )
    python = _text(values, "python")
    if not re.fullmatch(r"3\.\d+", python):
        raise _wrong(f"python is {python!r}, not a minor version", 'Write it as "3.12".')
    dist = _text(values, "dist", "")
    return Project(
        root=root,
        name=name,
        python=python,
        tradewind=_text(values, "tradewind"),
        dist=(root / Path(dist).expanduser()).resolve() if dist else None,
        plane=_part(root, name, "plane", values),
        site=_part(root, name, "site", values),
    )


def toml(path: Path) -> dict[str, Any]:
    """The table in a file. Raises BadUsage when it cannot be read."""
    try:
        return dict(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as problem:
        raise BadUsage(f"{path} cannot be read: {problem.strerror}") from problem
    except ValueError as problem:
        raise BadUsage(f"{path} is not TOML: {problem}") from problem


def _part(root: Path, name: str, role: Role, values: Mapping[str, Any]) -> Part:
    table = values.get(role, {})
    if not isinstance(table, dict):
        raise _wrong(f"{role} is not a table", f"Begin it with [{role}].")
    _check_names(table, _PART, f"{role}.")
    image = _text(table, "image", f"{name}-{role}")
    if not all(_NAME.fullmatch(each) for each in image.split("/")):
        raise _wrong(
            f"{role}.image is {image!r}; it is the name of a repository, without registry and tag",
            "Give the registry to --push, and no tag: it is made of the contents.",
        )
    return Part(role, root / role, _text(table, "base"), image)


def _text(values: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = values.get(name, default)
    if value is None:
        raise _wrong(f"{name} is missing", "`tradewind project init` writes one; compare with that.")
    if not isinstance(value, str):
        raise _wrong(f"{name} is {value!r}, not a text", f'Write it as {name} = "…".')
    return value


def _check_names(values: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in values:
        if name not in known:
            raise _wrong(
                f"there is no setting {where}{name}", f"There are {', '.join(where + one for one in known)}."
            )


def _wrong(sentence: str, remedy: str) -> BadUsage:
    return BadUsage(f"{FILE}: {sentence}", remedy=remedy)
