"""Programs that build, run and push images, behind one interface: buildah, podman, docker and nerdctl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tradewind.embedded import environments
from tradewind.errors import CommandError

NAMES: Final = ("buildah", "podman", "docker", "nerdctl")

_EPOCH: Final = "315532800"
_NO_BASE: Final = (
    "`images/build plane` and `images/build agent-slim` in a checkout of Tradewind make the base images. Or name your own as base "
    "in tradewind.toml, or take --builder venv."
)


class Builder:
    """One of them. Every method raises CommandError with the program's words when it fails."""

    def __init__(self, name: str, *, options: Sequence[str] = ()) -> None:
        self.name = name
        self._options = list(options)  # of a build, as the program takes them
        self._oci = name in ("buildah", "podman")

    def has(self, image: str) -> bool:
        """Whether the image is here."""
        command = (
            ["inspect", "--type", "image", image] if self.name == "buildah" else ["image", "inspect", image]
        )
        return subprocess.run([self.name, *command], capture_output=True, check=False).returncode == 0

    def build(self, context: Path, image: str, *, base: str, platform: str = "") -> None:
        """Build the context's Containerfile. The same context gives the same layers."""
        if base.startswith("localhost/") and not self.has(base):
            raise CommandError(f"{self.name} does not have the base image {base}", remedy=_NO_BASE)
        command = [
            "build",
            "--file",
            str(context / "Containerfile"),
            "--tag",
            image,
            "--build-arg",
            f"BASE={base}",
        ]
        if self._oci:
            command += ["--format", "oci", "--layers", "--timestamp", _EPOCH]
        if platform:
            command += ["--platform", platform]
        self._run(*command, *self._options, str(context), about=f"the image {image} cannot be built")

    def ask(self, image: str, command: Sequence[str], given: str) -> str:
        """What a command prints in a container of the image, with `given` on its standard input."""
        about = f"the image {image} cannot be run"
        if self.name != "buildah":
            entry, *arguments = command
            run = [
                "run",
                "--rm",
                "--interactive",
                "--network",
                "none",
                "--entrypoint",
                entry,
                image,
                *arguments,
            ]
            return self._run(*run, about=about, given=given)
        container = self._run("from", "--pull-never", image, about=about).strip().splitlines()[-1]
        try:
            return self._run("run", container, "--", *command, about=about, given=given)
        finally:
            self._run("rm", container, about=about)

    def push(self, image: str, target: str) -> str:
        """Push an image as `target` (registry, name, tag). Returns the digest that the registry knows it by."""
        about = f"{target} cannot be pushed"
        if self._oci:
            with tempfile.TemporaryDirectory(prefix="tradewind-") as folder:
                digest_file = Path(folder) / "digest"
                where = target if ":/" in target.partition("/")[0] + "/" else f"docker://{target}"
                self._run("push", "--digestfile", str(digest_file), image, where, about=about)
                return digest_file.read_text(encoding="utf-8").strip()
        self._run("tag", image, target, about=about)
        self._run("push", target, about=about)
        listed = self._run("image", "inspect", "--format", "{{json .RepoDigests}}", target, about=about)
        repository = target.rpartition(":")[0]
        for one in json.loads(listed.strip().splitlines()[-1] or "null") or ():
            name, _, digest = str(one).partition("@")
            if name == repository:
                return digest
        raise CommandError(f"{self.name} does not say by which digest the registry knows {target}")

    def _run(self, *arguments: str, about: str, given: str | None = None) -> str:
        try:
            return environments.run([self.name, *arguments], given=given)
        except (RuntimeError, OSError) as problem:
            raise CommandError(f"{about}: {problem}", remedy=_remedy(str(problem))) from problem


def chosen(
    name: str, *, options: Sequence[str] = (), which: Callable[[str], str | None] = shutil.which
) -> Builder | None:
    """The builder of that name. `auto` takes the first that works here; None stands for virtual environments.

    Raises CommandError when the one that was named is not installed.
    """
    if name == "venv":
        return None
    if name == "auto":
        return next((Builder(one, options=options) for one in NAMES if which(one) and _works(one)), None)
    if which(name) is None:
        there = [one for one in NAMES if which(one)]
        raise CommandError(
            f"{name} is not installed",
            remedy=f"Name one that is: --builder {there[0]}."
            if there
            else "Take --builder venv, which needs no containers.",
        )
    return Builder(name, options=options)


def _works(name: str) -> bool:
    """A client without its daemon is no builder."""
    if name == "buildah":
        return True
    env = {**os.environ, "DOCKER_CLI_HINTS": "false"}
    return subprocess.run([name, "info"], capture_output=True, env=env, check=False).returncode == 0


def _remedy(said: str) -> str:
    if "cgroup" in said:
        return (
            "Where there are no control groups, as in a container, set the variable BUILDAH_ISOLATION=chroot."
        )
    return ""
