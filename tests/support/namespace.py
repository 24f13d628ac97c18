"""A machine of its own for a recipe that writes to /etc and /opt: what it writes is gone with the test."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

CHANGED = ("/etc", "/opt", "/var/lib", "/srv", "/run", "/home")
"""Folders of the machine whose changes stay in the test's own."""


def available() -> str:
    """Empty, or why this machine cannot have one."""
    if os.geteuid() != 0:
        return "only root mounts file systems"
    missing = [one for one in ("unshare", "setpriv", "useradd") if shutil.which(one) is None]
    if missing:
        return f"no {', '.join(missing)} on this machine"
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/opt"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "this machine lets nobody mount file systems"


class Machine:
    """This machine with writable layers of the test's own over some folders. Commands see what earlier ones wrote."""

    def __init__(self, directory: Path, *, commands: Mapping[str, str]) -> None:
        """`commands`: programs by name that the machine has beside its own, as shell scripts."""
        self._layers = directory / "layers"
        self._bin = directory / "bin"
        self._bin.mkdir(parents=True)
        for name, script in commands.items():
            (self._bin / name).write_text("#!/bin/sh\n" + script)
            (self._bin / name).chmod(0o755)
        for folder in CHANGED:
            for kind in ("upper", "work"):
                (self._layers / folder.strip("/").replace("/", "-") / kind).mkdir(parents=True)
        (self._layers / "mount").write_text("\n".join(["set -e", *map(self._mount, CHANGED), 'exec "$@"']))

    def written(self, path: str) -> Path:
        """Where a file of the machine is that a command wrote."""
        folder = next(one for one in CHANGED if path.startswith(one + "/"))
        layer = self._layers / folder.strip("/").replace("/", "-") / "upper"
        return layer / path.removeprefix(folder + "/")

    def command(self, *arguments: str) -> list[str]:
        """To be run with `env()`."""
        return ["unshare", "--mount", "sh", str(self._layers / "mount"), *arguments]

    def env(self, **more: str) -> dict[str, str]:
        path = f"{self._bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {"PATH": path, "LANG": "C.UTF-8", "HOME": "/root", **more}

    def run(self, script: str, *, given: str = "", cwd: Path | None = None, **env: str) -> str:
        """What a person's shell says. Raises AssertionError with all of it when a command fails."""
        ran = subprocess.run(
            self.command("bash", "-euc", script),
            input=given,
            text=True,
            capture_output=True,
            env=self.env(**env),
            cwd=cwd,
            check=False,
        )
        assert ran.returncode == 0, f"{script}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def _mount(self, folder: str) -> str:
        layer = self._layers / folder.strip("/").replace("/", "-")
        options = f"lowerdir={folder},upperdir={layer}/upper,workdir={layer}/work"
        return f"mount -t overlay overlay -o {options} {folder}"


def as_user(name: str, arguments: Sequence[str], *, capabilities: Sequence[str] = ()) -> list[str]:
    """A command run by that user with its groups and no rights of root's but those, as systemd starts a service."""
    given = ",".join(["-all", *(f"+{one.removeprefix('CAP_').lower()}" for one in capabilities)])
    kept = [f"--inh-caps={given}", f"--ambient-caps={given}", f"--bounding-set={given}"]
    return [
        "setpriv",
        "--reuid",
        name,
        "--regid",
        name,
        "--init-groups",
        *kept,
        "--no-new-privs",
        "--",
        *arguments,
    ]
