"""The packages of a project's environments: a lock of each part's requirements, and virtual environments made from locks.

Both are made with uv. A lock names in its first line what it was made of; one that was made of the same is left alone. An
environment's folder is named for its lock, so that the same lock is installed once.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tradewind.embedded import environments
from tradewind.errors import CommandError
from tradewind.project.settings import PACKAGE, Part, Project

_MARK: Final = "# tradewind project: made of "

Say = Callable[[str], None]


class Packages:
    """Locks and environments of one project. `say` is told what takes a while."""

    def __init__(self, project: Project, *, say: Say = lambda sentence: None) -> None:
        self._project = project
        self._say = say
        self._environments = project.kept / "environments"

    # ---- locks

    def lock(self, part: Part) -> Path:
        """The part's lock, made anew when its requirements, Python, or Tradewind changed. Versions that still fit are kept.

        Raises CommandError with uv's words when the requirements cannot be met.
        """
        made_of = self._made_of(part)
        if _first_line(part.lock) == f"{_MARK}{made_of}\n":
            return part.lock
        self._say(f"locking {_shown(part.requirements, self._project)}")
        self._project.kept.mkdir(exist_ok=True)
        wanted = self._project.kept / f"{part.role}.in"
        wanted.write_text(self._wanted(part), encoding="utf-8")
        new = self._project.kept / f"{part.role}.lock"
        if part.lock.exists():
            new.write_text(_of_others(part.lock.read_text(encoding="utf-8")), encoding="utf-8")
        else:
            new.unlink(missing_ok=True)
        command = ["pip", "compile", "--quiet", "--universal", "--python-version", self._project.python]
        command += [
            "--python",
            sys.executable,
            "--generate-hashes",
            "--no-header",
            "--no-annotate",
            "--output-file",
            str(new),
            str(wanted),
        ]
        self._uv(
            *command, *self._source(), about=f"{_shown(part.requirements, self._project)} cannot be locked"
        )
        part.lock.write_text(f"{_MARK}{made_of}\n{_without_mark(new.read_text('utf-8'))}", encoding="utf-8")
        return part.lock

    def _wanted(self, part: Part) -> str:
        ours = f"{PACKAGE[part.role]}=={self._project.tradewind}\n"
        return ours + _text(part.requirements)

    def _made_of(self, part: Part) -> str:
        dist = self._project.dist
        sums = "" if dist is None else _text(_dist(dist) / "SHA256SUMS")
        # of Tradewind only what is installed: bills of materials and the other part's packages may change
        lines = [line for line in sums.splitlines() if line.endswith((".whl", "  constraints.txt"))]
        return environments.digest(self._wanted(part), self._project.python, *sorted(lines))

    # ---- environments

    def environment(self, part: Part) -> Path:
        """The interpreter of an environment with what the part's lock names. Raises CommandError when it cannot be made."""
        lock = self.lock(part)
        arguments = ["--require-hashes", "--requirement", str(lock)]
        return self._environment(part.role, arguments, lock.read_text(encoding="utf-8"))

    def agent(self) -> Path:
        """The interpreter of an environment with the agent alone, for `dev`."""
        wanted = f"tradewind-agent=={self._project.tradewind}"
        dist = self._project.dist
        sums = "" if dist is None else _text(_dist(dist) / "SHA256SUMS")
        return self._environment("agent", [wanted], wanted, *sorted(sums.splitlines()))

    def _environment(self, name: str, arguments: Sequence[str], *made_of: str) -> Path:
        with environments.locked(self._environments):
            made = self._environments / f"{name}-{environments.digest(self._project.python, *made_of)}"
            python = made / "bin" / "python"
            if not environments.is_complete(made):
                self._say(f"installing the environment of the {name}")
                shutil.rmtree(made, ignore_errors=True)
                what = f"the environment of the {name} cannot be made"
                self._uv("venv", "--quiet", "--python", self._interpreter(), str(made), about=what)
                # without --constraint, which may not go with the hashes of a lock
                own = self._source() if "--require-hashes" not in arguments else self._links()
                self._uv("pip", "install", "--quiet", "--python", str(python), *arguments, *own, about=what)
                environments.complete(made)
        return python

    # ---- inside

    def _interpreter(self) -> str:
        """The one that runs this command when it is of the project's minor version: uv need not know where it is."""
        minor = f"{sys.version_info.major}.{sys.version_info.minor}"
        return sys.executable if self._project.python == minor else self._project.python

    def _links(self) -> list[str]:
        dist = self._project.dist
        return [] if dist is None else ["--find-links", str(_dist(dist))]

    def _source(self) -> list[str]:
        dist = self._project.dist
        return [] if dist is None else [*self._links(), "--constraint", str(dist / "constraints.txt")]

    def _uv(self, *arguments: str, about: str) -> None:
        uv = environments.uv_program()
        if uv is None:
            raise CommandError("uv is not installed", remedy="Install it: pip install uv")
        try:
            environments.run([uv, *arguments], cwd=self._project.kept)
        except RuntimeError as problem:
            remedy = ""
            if self._project.dist is None and "tradewind" in str(problem):
                remedy = "If your index has no Tradewind, set dist in tradewind.toml to the folder that `make dist` built."
            raise CommandError(f"{about}: {problem}", remedy=remedy) from problem


def locked_version(lock: Path, package: str) -> str:
    """The version of a package in a lock; empty when it is not in it."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        name, found, version = line.partition("==")
        if found and name.strip() == package:
            return version.split()[0].rstrip("\\;")
    return ""


def wheels(dist: Path) -> list[Path]:
    """Of Tradewind, for the environments of images."""
    return sorted(_dist(dist).glob("tradewind_*.whl"))


def _dist(dist: Path) -> Path:
    if not (dist / "constraints.txt").is_file():
        raise CommandError(
            f"{dist}, which tradewind.toml names as dist, has no packages of Tradewind",
            remedy="Run `make dist` in a checkout of Tradewind, and name the folder it made.",
        )
    return dist


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise CommandError(f"{path} cannot be read: {problem.strerror}") from problem


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline()
    except FileNotFoundError:
        return ""


def _of_others(lock: str) -> str:
    """A lock without Tradewind: a package that was built again has other hashes under the same version, and uv keeps old ones."""
    kept, is_ours = [], False
    for line in lock.splitlines(keepends=True):
        if not line[:1].isspace():
            is_ours = line.startswith("tradewind")
        if not is_ours:
            kept.append(line)
    return "".join(kept)


def _without_mark(text: str) -> str:
    return text.partition("\n")[2] if text.startswith(_MARK) else text


def _shown(path: Path, project: Project) -> str:
    return os.path.relpath(path, project.root)
