"""Real containers without a daemon: images that buildah keeps, run by runc as the restricted Pod Security Standard would, or as
baseline lets root start them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tradewind.embedded.processes import LocalProcess

USER = 50000


def available() -> str:
    """Why no container can run here; empty when one can."""
    if os.geteuid() != 0:
        return "containers of this test need root"
    lacking = [tool for tool in ("buildah", "runc") if shutil.which(tool) is None]
    return f"no {' and no '.join(lacking)} on this machine: `make containers`" if lacking else ""


@dataclass
class Image:
    """An image, its root file system mounted read-only below every container of it."""

    name: str
    root: Path
    config: Mapping[str, object]
    store: Sequence[str] = ()  # of images, as buildah is told; empty for the machine's own
    container: str = ""  # of buildah, which holds the mount

    @classmethod
    def mounted(cls, name: str, store: Sequence[str] = ()) -> Image:
        container = _buildah(*store, "from", "--pull-never", name)
        root = Path(_buildah(*store, "mount", container))
        return cls(name, root, described(name, store), store, container)

    def unmount(self) -> None:
        _buildah(*self.store, "umount", self.container)
        _buildah(*self.store, "rm", self.container)

    def exported(self, layout: Path) -> None:
        """Write the image into a folder in the OCI's layout, as a registry has it."""
        _buildah("push", "--quiet", self.name, f"oci:{layout}:image")

    @classmethod
    def pulled(cls, layout: Path, store: Path) -> Image:
        """The image of such a folder in a store of its own, as on a machine that had no image before."""
        options = ("--root", str(store / "root"), "--runroot", str(store / "run"))
        return cls.mounted(_buildah(*options, "pull", "--quiet", f"oci:{layout}:image"), options)

    @property
    def size(self) -> int:
        """Bytes unpacked."""
        return size_of(self.root)


@dataclass
class Container:
    """One container: a read-only root, user 50000 of group 0 without capabilities, the network of this machine."""

    image: Image
    place: Path  # for the bundle and what is mounted
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, Path] = field(
        default_factory=dict
    )  # path inside → folder or file; a folder may be written to

    user: int = USER
    capabilities: Sequence[str] = ()  # of root

    @property
    def name(self) -> str:
        return self.place.name

    def process(self) -> LocalProcess:
        """`runc run`, not started yet. A signal to it is a signal to the container's first process."""
        self.place.mkdir(parents=True, exist_ok=True)
        (self.place / "config.json").write_text(json.dumps(self._spec()))
        command = ["runc", "run", "--bundle", str(self.place), self.name]
        return LocalProcess(self.name, command, env=dict(os.environ), log=self.place / "log", cwd=self.place)

    def execute(self, *command: str) -> str:
        """What a command in the running container prints."""
        done = subprocess.run(
            ["runc", "exec", self.name, *command], text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _spec(self) -> dict[str, object]:
        config = self.image.config
        arguments = [*config["Entrypoint"], *(self.command or config["Cmd"])]  # type: ignore[misc]
        env = dict(one.partition("=")[::2] for one in config["Env"])  # type: ignore[attr-defined]
        private = ["nosuid", "nodev", "mode=1777", "size=512m"]
        mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": private},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmp", "options": private},
        ]
        for inside, outside in self.mounts.items():
            options = ["rbind", "rw" if outside.is_dir() else "ro"]
            mounts.append({"destination": inside, "type": "bind", "source": str(outside), "options": options})
        return {
            "ociVersion": "1.0.2",
            "process": {
                "user": {"uid": self.user, "gid": 0},
                "args": arguments,
                "env": [f"{key}={value}" for key, value in {**env, **self.env}.items()],
                "cwd": config["WorkingDir"],
                "capabilities": {
                    "inheritable": [],
                    **{kind: list(self.capabilities) for kind in ("bounding", "effective", "permitted")},
                },
                "noNewPrivileges": True,
            },
            "root": {"path": str(self.image.root), "readonly": True},
            "mounts": mounts,
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]},
        }


def described(name: str, store: Sequence[str] = ()) -> Mapping[str, object]:
    """The image's configuration: what a container of it gets."""
    about = json.loads(_buildah(*store, "inspect", "--type", "image", name))
    config: Mapping[str, object] = about["OCIv1"]["config"]
    return config


def size_of(folder: Path) -> int:
    """Bytes of a folder and what is in it."""
    told = subprocess.run(["du", "-sbx", str(folder)], text=True, capture_output=True, check=True)
    return int(told.stdout.split()[0])


def _buildah(*arguments: str) -> str:
    done = subprocess.run(["buildah", *arguments], text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"buildah {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()
