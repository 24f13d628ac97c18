"""Code that was deployed to the Deployments of this machine: unpacked, with an environment installed for it.

It is kept apart from the Deployments' homes. A Deployment's user reads its own and changes none, so that a roll-back brings back
what was deployed, whatever the code has done since. What installs packages is a user of its own, which no Deployment has, and
nothing of an archive is executed by it: packages are wheels with the hashes of their lock.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tradewind.embedded import environments
from tradewind_platform.domain.deploys import code_of
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.reconciler.driver import Document, StepFailed
from tradewind_platform.services.deploys import ARCHIVES
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_protocol import plane_archives
from tradewind_protocol.plane_archives import BadArchive

_INSTALLING: Final = 1200.0  # seconds
_MINOR: Final = "import sys; print('{}.{}'.format(*sys.version_info))"
_PASSED_ON: Final = (
    "UV_INDEX",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX",
    "UV_NO_INDEX",
    "UV_OFFLINE",
    "UV_HTTP_TIMEOUT",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
    "SSL_CERT_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "LANG",
    "LC_",
)
"""What an administrator sets for the installer: the index, certificates, a proxy."""


class DeployedCode:
    """Of each Deployment whose specification names an archive. Every method may be called twice."""

    cache_most: Final = 4_000_000_000
    """Bytes that the installer's cache may have after an install."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self.archives = PlaneArchives(settings.archives)
        self._folder = settings.home / "code"
        self._packages = settings.home / "packages"  # the installer's cache

    def fetch(self, document: Document) -> None:
        """The archive of the document is unpacked. Code that is neither its nor the present one goes. Raises StepFailed."""
        if ARCHIVES in document.arguments:
            self.archives.keep_only(document.slug, document.arguments[ARCHIVES])
        wanted = self._place(document, document.spec)
        kept = {wanted, self._place(document, document.before)}
        folder = self._folder / document.slug
        for old in folder.iterdir() if folder.is_dir() else ():
            if old not in kept:
                shutil.rmtree(old)
        if wanted is not None and not (wanted / "source").is_dir():
            self._unpack(document, wanted)

    def build(self, document: Document) -> None:
        """The environment of the document's archive is there, whole. Raises StepFailed with the installer's words."""
        place = self._place(document, document.spec)
        if place is None or environments.is_complete(place):
            return
        made, source = place / "environment", place / "source"
        if made.exists():
            shutil.rmtree(made)
        self._packages.mkdir(mode=0o700, exist_ok=True)
        self._give_to_installer(self._packages)
        python = self._interpreter(source)
        self._uv("venv", "--quiet", "--python", str(python), str(made))
        self._uv(
            *("pip", "install", "--quiet", "--python", str(made / "bin" / "python")),
            *("--no-build", "--require-hashes", *_links(source / plane_archives.DIST)),
            *("--requirement", str(source / plane_archives.LOCK)),
        )
        # Its own user cannot write byte code there. Compiled by this machine's Python: that of the environment would run what
        # packages hook into its start.
        library = made / "lib"
        self._as_installer(python, "-I", "-m", "compileall", "-q", "-j", "0", str(library), may_fail=True)
        environments.complete(place)
        self._prune_cache()

    def ensure(self, document: Document) -> None:
        """Both, for a document whose code may not be on this machine. Raises StepFailed."""
        place = self._place(document, document.spec)
        if place is not None and not environments.is_complete(place):
            if not (place / "source").is_dir():
                self._unpack(document, place)
            self.build(document)

    def python(self, document: Document) -> Path | None:
        """The interpreter of the document's own environment; None when it has that of the cluster."""
        place = self._place(document, document.spec)
        return None if place is None else place / "environment" / "bin" / "python"

    def variables(self, document: Document) -> Mapping[str, str]:
        """Of its processes: where its plugins are. Stronger than a file of options."""
        place = self._place(document, document.spec)
        if place is None:
            return {}
        return {"AIRFLOW__CORE__PLUGINS_FOLDER": str(place / "source" / plane_archives.PLUGINS)}

    def forget(self, document: Document) -> None:
        """Everything of a Deployment that is purged."""
        self.archives.forget(document.slug)
        if (self._folder / document.slug).exists():
            shutil.rmtree(self._folder / document.slug)

    # ---- inside

    def _place(self, document: Document, spec: Mapping[str, object]) -> Path | None:
        # Half of the digest: two archives with the same half cannot be found, and a program's first line holds the path.
        digest = code_of(spec).digest
        return self._folder / document.slug / digest.removeprefix("sha256:")[:32] if digest else None

    def _unpack(self, document: Document, place: Path) -> None:
        """By the platform itself: nothing of it runs. The Deployment's user may enter, and no other Deployment's."""
        digest = code_of(document.spec).digest
        self._folder.mkdir(mode=0o711, exist_ok=True)
        place.parent.mkdir(mode=0o750, exist_ok=True)
        place.mkdir(mode=0o755, exist_ok=True)
        if self._settings.first_user is not None:
            own = self._settings.first_user + document.number
            os.chown(place.parent, self._settings.first_user, own)
            self._give_to_installer(place)
        for folder, mode in ((self._folder, 0o711), (place.parent, 0o750), (place, 0o755)):
            folder.chmod(mode)  # whatever the umask is
        part = place / "source.part"
        if part.exists():
            shutil.rmtree(part)
        part.mkdir()
        try:
            with self.archives.opened(document.slug, digest) as file:
                found = plane_archives.unpack(file, part)
        except FileNotFoundError:
            raise StepFailed(
                f"this machine has no archive {digest}; deploy the project again", final=True
            ) from None
        except BadArchive as error:
            raise StepFailed(f"the archive {digest} cannot be unpacked: {error}", final=True) from None
        if found.digest != digest:
            raise StepFailed(f"the archive {digest} was changed on this machine: deploy it again", final=True)
        for name in (plane_archives.PLUGINS, plane_archives.DIST):
            (part / name).mkdir(exist_ok=True)
        for folder in (part, *(one for one in part.rglob("*") if one.is_dir())):
            folder.chmod(0o755)
        part.rename(place / "source")

    def _interpreter(self, source: Path) -> Path:
        """Of this machine's environments, one with the minor version of Python that the project is locked for."""
        wanted = plane_archives.python_of((source / plane_archives.DESCRIPTION).read_bytes())
        have = []
        for python in dict.fromkeys((self._settings.plane_python, *self._settings.environments.values())):
            done = subprocess.run([python, "-c", _MINOR], capture_output=True, text=True, check=False)
            if done.stdout.strip() == wanted:
                return python
            have.append(done.stdout.strip() or "an unknown one")
        raise StepFailed(
            f"the project is for Python {wanted}, and the environments of this machine have {', '.join(have)}: "
            "name one of these as `python` in tradewind.toml, or start the platform with one more --plane-python",
            final=True,
        )

    def _uv(self, *arguments: str, may_fail: bool = False) -> None:
        uv = self._settings.uv or environments.uv_program()
        if uv is None:
            raise StepFailed("uv is not installed on the platform's machine: pip install uv", final=True)
        self._as_installer(uv, *arguments, may_fail=may_fail)

    def _prune_cache(self) -> None:
        """What no later install would find goes; everything does once the cache is large. Environments keep their files.

        An install that succeeded stays so, whatever becomes of this.
        """
        self._uv("cache", "prune", "--quiet", may_fail=True)
        if _size(self._packages / "cache") > self.cache_most:
            self._uv("cache", "clean", "--quiet", may_fail=True)

    def _as_installer(self, program: Path | str, *arguments: str, may_fail: bool = False) -> None:
        user = self._settings.first_user
        env = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        env |= {
            "PATH": os.defpath,
            "HOME": str(self._packages),
            "UV_CACHE_DIR": str(self._packages / "cache"),
            "UV_PYTHON_DOWNLOADS": "never",
        }
        try:
            done = subprocess.run(
                [program, *arguments],
                cwd=self._packages,
                env=env,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                umask=0o022,
                timeout=_INSTALLING,
                check=False,
            )
        except PermissionError:
            raise StepFailed(
                f"the user id {user}, which installs packages, cannot run {program} or enter {self._packages}: a directory "
                "above them is closed to it; install uv below /usr/local",
                final=True,
            ) from None
        except subprocess.TimeoutExpired:
            if may_fail:
                return
            raise StepFailed(f"{program} {arguments[0]} has not ended in {_INSTALLING:g} s") from None
        if done.returncode != 0 and not may_fail:
            raise StepFailed(f"uv {arguments[0]}: {done.stdout.strip()[-1000:]}")

    def _give_to_installer(self, folder: Path) -> None:
        if self._settings.first_user is not None:
            os.chown(folder, self._settings.first_user, self._settings.first_user)


def _size(folder: Path) -> int:
    """The bytes of its files. One that goes meanwhile has none."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_size
            except FileNotFoundError:
                continue
    return total


def _links(dist: Path) -> list[str]:
    """Where wheels are beside the index: in the archive, and where the administrator says. An option hides uv's own variable."""
    also = os.environ.get("UV_FIND_LINKS", "").split(",")
    return [f"--find-links={one}" for one in (str(dist), *also) if one]
