"""The archives of planes that a platform keeps: files of its home, by Deployment and digest."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Final

from tradewind_platform.domain.ids import new_id
from tradewind_protocol import plane_archives
from tradewind_protocol.plane_archives import PlaneArchive

FOLDER: Final = "archives"
"""Of the home of the Deployments of a platform's own machine."""
_ABANDONED: Final = 3600.0  # seconds after which what was received in part is no one's
_FILE: Final = re.compile(r"(?P<slug>[a-z0-9]{1,60})/(?P<file>[0-9a-f]{64}\.tar\.gz(\.json)?)")


class PlaneArchives:
    """For the platform's user only. An archive is checked when it comes, and again whenever it is unpacked."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def incoming(self) -> Path:
        """A new file for what is being received. What others have left there an hour ago is removed."""
        folder = self._made("incoming")
        for old in folder.iterdir():
            if time.time() - old.stat().st_mtime > _ABANDONED:
                old.unlink(missing_ok=True)
        made = folder / str(new_id())
        os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        return made

    def keep(self, slug: str, found: PlaneArchive, received: Path) -> None:
        """Keep what was received, and was found to be this, under its digest. One that is there already is the same."""
        place = self._made(slug) / self._place(slug, found.digest).name
        part = place.with_suffix(".part")
        part.write_text(json.dumps(asdict(found)), encoding="utf-8")
        part.replace(_beside(place))
        received.replace(place)

    def read(self, slug: str, digest: str) -> PlaneArchive | None:
        """What the archive was found to be when it came; None when it is not there."""
        place = self._place(slug, digest)
        if not place.exists():
            return None
        return PlaneArchive(**json.loads(_beside(place).read_text(encoding="utf-8")))

    def opened(self, slug: str, digest: str) -> IO[bytes]:
        """Raises FileNotFoundError."""
        return self._place(slug, digest).open("rb")

    def keep_only(self, slug: str, digests: Collection[str]) -> None:
        """Remove the other archives of a Deployment."""
        kept = {
            file.name for one in digests for file in (self._place(slug, one), _beside(self._place(slug, one)))
        }
        folder = self._folder / slug
        for file in folder.iterdir() if folder.is_dir() else ():
            if file.name not in kept:
                file.unlink(missing_ok=True)

    def forget(self, slug: str) -> None:
        """Remove every archive of a Deployment."""
        if (self._folder / slug).exists():
            shutil.rmtree(self._folder / slug)

    def files(self) -> Iterator[tuple[str, Path]]:
        """The files of each archive that is here whole, each with the name by which `put_back` takes it."""
        for place in sorted(self._folder.glob("*/*.tar.gz")):
            if _beside(place).exists():
                for file in (_beside(place), place):
                    yield f"{place.parent.name}/{file.name}", file

    def put_back(self, name: str, content: IO[bytes]) -> bool:
        """Keep a file of an archive again, as `files` named it. Returns whether it was missing.

        Raises ValueError for a name that no file of an archive has.
        """
        found = _FILE.fullmatch(name)
        if found is None:
            raise ValueError(f"{name[:100]!r} is no file of an archive")
        place = self._made(found["slug"]) / found["file"]
        if place.exists():
            return False
        received = self.incoming()
        with received.open("wb") as file:
            shutil.copyfileobj(content, file)
        received.replace(place)
        return True

    def _made(self, name: str) -> Path:
        """A folder for the platform's user only, as the one around it is, whatever the umask."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self._folder, self._folder / name):
            folder.mkdir(mode=0o700, exist_ok=True)
        return self._folder / name

    def _place(self, slug: str, digest: str) -> Path:
        if plane_archives.DIGEST.fullmatch(digest) is None:
            raise ValueError(f"{digest!r} is no digest")
        return self._folder / slug / f"{digest.removeprefix('sha256:')}.tar.gz"


def _beside(place: Path) -> Path:
    """The file that says what the archive is."""
    return place.with_name(f"{place.name}.json")
