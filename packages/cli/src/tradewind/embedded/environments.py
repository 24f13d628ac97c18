"""The environments that owners install: of the plane, of the agent, of the site's tasks.

From a checkout our distributions are built as wheels and each environment gets what its own one declares, in the versions
of `requirements.lock`; without one they come from the package index. Everything is kept under names made of what it was
made from: what did not change is there already. Only the standard library is imported, so that any Python can run this:
`python -m tradewind.embedded.environments CHECKOUT [platform] [PACKAGE]…` makes the environment of the `tradewind` command,
or of one that has the platform, with more packages, and prints its interpreter.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WHEELS: Mapping[str, tuple[str, ...]] = {
    "plane": ("protocol", "provider"),
    "agent": ("protocol", "agent"),
    "tasks": ("protocol", "runtime"),
}
"""What is ours in each environment."""
RELEASED: Mapping[str, str] = {
    "plane": "tradewind-provider",
    "agent": "tradewind-agent",
    "tasks": "tradewind-runtime",
}
"""What an owner installs in each environment."""

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "command": ("protocol", "cli"),
    "platform": ("protocol", "cli", "platform"),
}
"""What is ours in the environment of a command."""

_UNUSED_AFTER = 2 * 24 * 3600.0  # seconds until an environment of sources that changed since is removed


@dataclass(frozen=True)
class Environments:
    """Three interpreters."""

    plane: Path  # has Airflow and tradewind-provider
    agent: Path  # has tradewind-agent and no Airflow
    tasks: Path  # has Airflow and tradewind-runtime


class Checkout:
    """Makes environments of the sources in a checkout. Safe to use from several processes at once.

    They are kept in `kept`, else in the checkout's ignored folder. `say` is told what takes a while.
    """

    def __init__(
        self,
        root: Path,
        *,
        kept: Path | None = None,
        python: Path | None = None,
        say: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._root = root
        self._kept = kept or root / "build" / "environments"
        self._python = python or Path(sys.executable)
        self._say = say
        self._lock = root / "requirements.lock"

    def environments(
        self, *, plane: Sequence[str] = (), agent: Sequence[str] = (), tasks: Sequence[str] = ()
    ) -> Environments:
        """The three, each with more of the packages that the lock names."""
        return Environments(
            plane=self.environment("plane", WHEELS["plane"], plane),
            agent=self.environment("agent", WHEELS["agent"], agent),
            tasks=self.environment("tasks", WHEELS["tasks"], tasks),
        )

    def environment(
        self, name: str, ours: Sequence[str], more: Sequence[str] = (), *, lock: Path | None = None
    ) -> Path:
        """The interpreter of an environment that has those packages of the checkout, and more ones of the lock."""
        lock = lock or self._lock
        with locked(self._kept):
            base = self._base(name, ours, more, lock)
            wheels = [self._wheel(package) for package in ours]
            made = self._kept / f"{base.name}-{digest(*(str(wheel) for wheel in wheels))}"
            if not is_complete(made):
                # What others wrote is linked, its bytecode with it; only what is ours is installed anew.
                _linked(base, made)
                if wheels:
                    self._install(made, "--no-deps", *map(str, wheels))
                    run([str(made / "bin" / "python"), "-m", "compileall", "-q", *_ours_in(made)])
                self._remove_unused()
            complete(made)
        return made / "bin" / "python"

    def wheels(self) -> list[Path]:
        """A wheel of every package of the checkout."""
        with locked(self._kept):
            return [self._wheel(package.parent.name) for package in self._packages()]

    def _packages(self) -> list[Path]:
        return sorted(self._root.glob("packages/*/pyproject.toml"))

    def _base(self, name: str, ours: Sequence[str], more: Sequence[str], lock: Path) -> Path:
        """An environment with everything that is not ours. Made anew when a declaration or the lock changed."""
        declared = [(self._root / "packages" / package / "pyproject.toml").read_text() for package in ours]
        made_of = (str(self._python), sys.version, lock.read_text(), *sorted(more), *declared)
        base = self._kept / f"{name}-{digest(*made_of)}"
        if not is_complete(base):
            self._say(f"installing the environment of the {name}")
            shutil.rmtree(base, ignore_errors=True)
            self._uv("venv", "--quiet", "--relocatable", "--python", str(self._python), str(base))
            wheels = [str(self._wheel(package)) for package in ours]
            self._install(base, "--compile-bytecode", "--constraint", str(lock), *wheels, *more)
            if ours:
                names = [Path(wheel).name.split("-")[0] for wheel in wheels]
                self._uv("pip", "uninstall", "--quiet", "--python", str(base / "bin" / "python"), *names)
        complete(base)
        return base

    def _wheel(self, package: str) -> Path:
        source = self._root / "packages" / package
        files = [source / "pyproject.toml", *_files(source / "src")]
        contents = digest(*(f"{path.relative_to(source)}:{_digest_of(path)}" for path in files))
        place = self._kept / "wheels" / f"{package}-{contents}"
        if not place.exists():
            self._say(f"building the wheel of packages/{package}")
            unfinished = place.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            options = ("--wheel", "--out-dir", str(unfinished), "--build-constraint", str(self._lock))
            self._uv("build", "--quiet", *options, str(source))
            unfinished.rename(place)
        [wheel] = place.glob("*.whl")
        return wheel

    def _install(self, environment: Path, *arguments: str) -> None:
        self._uv("pip", "install", "--quiet", "--python", str(environment / "bin" / "python"), *arguments)

    def _uv(self, *arguments: str) -> None:
        own = self._root / ".tools" / "bin" / "uv"
        uv = str(own) if own.exists() else uv_program()
        if uv is None:
            raise RuntimeError("uv is not installed; `make setup` in the checkout installs it")
        run([uv, *arguments], cwd=self._kept)

    def _remove_unused(self) -> None:
        before = time.time() - _UNUSED_AFTER
        for mark in self._kept.glob("*/.complete"):
            if mark.stat().st_mtime < before:
                shutil.rmtree(mark.parent, ignore_errors=True)


class Released:
    """Makes environments of a released version, from the package index that uv or pip is set up for."""

    def __init__(
        self, version: str, *, kept: Path | None = None, say: Callable[[str], None] = lambda sentence: None
    ) -> None:
        self._version = version
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self._kept = kept or cache / "tradewind" / "environments"
        self._say = say

    def environments(self) -> Environments:
        """The three. Raises RuntimeError with the installer's words when one cannot be installed."""
        with locked(self._kept):
            return Environments(**{role: self._environment(role) for role in RELEASED})

    def _environment(self, role: str) -> Path:
        made = self._kept / f"{role}-{digest(self._version, sys.executable, sys.version)}"
        python = str(made / "bin" / "python")
        if not is_complete(made):
            self._say(f"installing the environment of the {role}")
            shutil.rmtree(made, ignore_errors=True)
            requirement = f"{RELEASED[role]}=={self._version}"
            if uv := uv_program():
                run([uv, "venv", "--quiet", "--python", sys.executable, str(made)])
                run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, requirement])
            else:
                run([sys.executable, "-m", "venv", str(made)])
                run([python, "-m", "pip", "install", "--quiet", requirement])
            complete(made)
        return Path(python)


def _linked(base: Path, made: Path) -> None:
    shutil.rmtree(made, ignore_errors=True)
    ignored = shutil.ignore_patterns(".complete")
    shutil.copytree(base, made, symlinks=True, copy_function=os.link, ignore=ignored)


def _ours_in(environment: Path) -> list[str]:
    return [str(path) for path in environment.glob("lib/python*/site-packages/tradewind*") if path.is_dir()]


def complete(made: Path) -> None:
    """Note that this environment is whole and used now."""
    (made / ".complete").touch()


def is_complete(made: Path) -> bool:
    """Whether this environment was made to its end."""
    return (made / ".complete").exists()


def _files(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            yield path


def digest(*texts: str) -> str:
    """Twelve hexadecimal digits of what something is made of."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One process at a time is inside; the folder is made when it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(command: Sequence[str], *, cwd: Path | None = None, given: str | None = None) -> str:
    """Run a tool to its end, with `given` on its standard input. Returns its output. Raises RuntimeError with what it said
    when it fails."""
    kept = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=kept,
        input=given,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"`{' '.join(command[:4])} …` failed with exit code {done.returncode}:\n{done.stdout}"
        )
    return done.stdout


def uv_program() -> str | None:
    """The program uv: on the search path, else beside this Python."""
    beside = Path(sys.executable).with_name("uv")
    return shutil.which("uv") or (str(beside) if beside.exists() else None)


if __name__ == "__main__":
    _root, _name, _more = sys.argv[1], (sys.argv[2:] or ["command"])[0], sys.argv[3:]
    _checkout = Checkout(Path(_root).resolve(), say=lambda sentence: print(sentence, file=sys.stderr))
    sys.stdout.write(f"{_checkout.environment(_name, COMMANDS[_name], _more)}\n")
