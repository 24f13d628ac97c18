"""Machines of people who have nothing but what was built: commands of the pages run in an environment of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from support import built
from tradewind.embedded.processes import LocalProcess


@dataclass
class Machine:
    """A folder with `dist/` in it, a home and an environment: all that a person at a new machine has."""

    place: Path
    python: Path
    pip: bool  # else uv's
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def new(cls, place: Path, dist: Path, python: Path, *, pip: bool) -> Machine:
        made = cls(place, python, pip)
        place.mkdir(parents=True)
        made.bring(dist)
        if pip:
            made._run([str(python), "-m", "venv", str(place / "venv")])
        else:
            made._run([str(built.UV), "venv", "--quiet", "--python", str(python), str(place / "venv")])
            uv = f"UV_PYTHON={python} exec {built.UV}"  # of the tool's environment; pip has VIRTUAL_ENV
            for name, command in {"pip": f'exec {built.UV} pip "$@"', "uv": f'{uv} "$@"'}.items():
                (place / "venv" / "bin" / name).write_text(f"#!/bin/sh\n{command}\n")
                (place / "venv" / "bin" / name).chmod(0o755)
        own = ("PIP_", "SSL_", "UV_INDEX", "UV_DEFAULT_INDEX", "UV_CACHE", "XDG_CACHE_HOME")
        made.env = {
            **{key: value for key, value in os.environ.items() if key.startswith(own)},
            "PATH": f"{place}/venv/bin:{place}/bin:/usr/local/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": str(place / "venv"),
            "HOME": str(place),
            "LANG": "C.UTF-8",
            "PIP_CACHE_DIR": os.environ.get("PIP_CACHE_DIR") or str(Path.home() / ".cache" / "pip"),
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv"),
            "PIP_NO_COMPILE": "1",
            "UV_TOOL_DIR": str(place / "tools"),
            "UV_TOOL_BIN_DIR": str(place / "bin"),
            "UV_PYTHON_DOWNLOADS": "never",
        }
        return made

    def bring(self, dist: Path) -> None:
        """Copy that folder to `dist/`, in place of the one that is there."""
        shutil.rmtree(self.place / "dist", ignore_errors=True)
        shutil.copytree(dist, self.place / "dist")

    def has(self, distribution: str) -> str:
        """The version that is installed in its environment."""
        script = f"from importlib.metadata import version; print(version({distribution!r}))"
        return self._run([str(self.place / "venv" / "bin" / "python"), "-c", script]).strip()

    def run(self, script: str, *, given: str = "") -> str:
        """What a shell prints that runs it."""
        return self._run(["bash", "-euc", script], given=given)

    def process(self, name: str, command: str) -> LocalProcess:
        log = self.place / f"{name}.log"
        return LocalProcess(name, ["bash", "-euc", f"exec {command}"], env=self.env, log=log, cwd=self.place)

    def _run(self, command: list[str], *, given: str = "") -> str:
        ran = subprocess.run(
            command,
            env=self.env or None,
            cwd=self.place,
            input=given,
            text=True,
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 0, f"{command[-1]}\n{ran.stdout[-5000:]}{ran.stderr[-5000:]}"
        return ran.stdout
