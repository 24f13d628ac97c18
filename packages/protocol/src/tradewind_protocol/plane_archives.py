"""The code of a plane as an archive: what `tradewind project deploy` sends, and a platform checks before it keeps it.

A tar file in gzip of regular files: `plane.json`, `requirements.lock` with a hash of each package, `plugins/`, and in `dist/`
the wheels that no package index has. Its digest is that of its files, by name, contents and executable bit: not of times,
owners, order or compression.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

MEDIA_TYPE: Final = "application/octet-stream"
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
DESCRIPTION: Final = "plane.json"
LOCK: Final = "requirements.lock"
PLUGINS: Final = "plugins"
DIST: Final = "dist"

COMPRESSED: Final = 64 * 1024 * 1024
"""Bytes of an archive at the most."""
UNPACKED: Final = 192 * 1024 * 1024
"""Bytes of its files, with the headers, at the most."""
FILES: Final = 10_000

_FORMAT: Final = 1
_NAME: Final = re.compile(r"[^\x00-\x1f\x7f\\]{1,200}")
_WHEEL: Final = re.compile(r"[A-Za-z0-9_.+!-]+\.whl")
_SMALL: Final = 8 * 1024 * 1024  # the lock and the description, which are read whole
_CHUNK: Final = 1024 * 1024
_REGULAR: Final = (tarfile.REGTYPE, tarfile.AREGTYPE)

_REQUIREMENT: Final = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[A-Za-z0-9._, -]+\])?==(?P<version>[A-Za-z0-9.!+_-]+)"
    r"( ?; ?[A-Za-z0-9_'\"<>=!.() ,*~-]+)?"
)
_HASH: Final = re.compile(r"\s+--hash=sha256:[0-9a-f]{64}")
_PYTHON: Final = re.compile(r"3\.[0-9]{1,2}")
AIRFLOW: Final = "apache-airflow-core"
PROVIDER: Final = "tradewind-provider"


class BadArchive(ValueError):
    """What was given is no archive of a plane. Its text names the file and the reason."""


@dataclass(frozen=True)
class Entry:
    """One file."""

    name: str
    sha256: str
    is_executable: bool


@dataclass(frozen=True)
class PlaneArchive:
    """What an archive holds."""

    digest: str  # "sha256:…"
    python: str  # minor version of its environment: "3.12"
    airflow: str
    size: int  # bytes of its files


def digest_of(entries: Iterable[Entry]) -> str:
    """Of these files, whatever their order."""
    lines = [f"{'x' if one.is_executable else '-'} {one.sha256} {one.name}\n" for one in entries]
    text = f"tradewind plane {_FORMAT}\n" + "".join(sorted(lines, key=lambda line: line[67:]))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def description(python: str) -> bytes:
    """The contents of `plane.json`."""
    return json.dumps({"format": _FORMAT, "python": python}, sort_keys=True).encode() + b"\n"


def write(files: Mapping[str, Path], described: bytes, target: IO[bytes]) -> None:
    """Write an archive of these files, by their names in it. Raises BadArchive for a name that it cannot have."""
    with (
        gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted({*files, DESCRIPTION}):
            _check_name(name)
            made = tarfile.TarInfo(name)
            if name == DESCRIPTION:
                made.size, made.mode = len(described), 0o644
                archive.addfile(made, io.BytesIO(described))
                continue
            with files[name].open("rb") as file:
                made.size = files[name].stat().st_size
                made.mode = 0o755 if is_executable(files[name]) else 0o644
                try:
                    archive.addfile(made, file)
                except ValueError as problem:
                    raise BadArchive(f"{name}: {problem}") from None


def entry(name: str, path: Path) -> Entry:
    """A file as it goes into an archive."""
    sum = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sum.update(chunk)
    return Entry(name, sum.hexdigest(), is_executable(path))


def is_executable(path: Path) -> bool:
    """By its mode alone: also on a file system that runs nothing, and whatever the umask was."""
    return path.stat().st_mode & 0o100 != 0


def check(source: IO[bytes]) -> PlaneArchive:
    """Read an archive to its end. Raises BadArchive for one that is not whole, too large, or has what none may have."""
    return _read(source, lambda name, is_executable: None)


def unpack(source: IO[bytes], folder: Path) -> PlaneArchive:
    """Write the files of an archive below a folder that is empty. Raises BadArchive, and may have written some then.

    The archive is not trusted: no name leads out of the folder, and nothing but regular files is in it, so no link does.
    """

    def opened(name: str, is_executable: bool) -> IO[bytes]:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        file = place.open("xb")
        place.chmod(0o755 if is_executable else 0o644)
        return file

    return _read(source, opened)


# ---- reading


class _Bounded(io.RawIOBase):
    """Reads what is compressed, and no more than UNPACKED bytes of it."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = gzip.GzipFile(fileobj=source, mode="rb")
        self._left = UNPACKED

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        wanted = self._left + 1 if size < 0 else min(size, self._left + 1)
        found = self._source.read(wanted)
        self._left -= len(found)
        if self._left < 0:
            raise BadArchive(f"its files have more than {UNPACKED // 1024 // 1024} MiB")
        return found


class _Plain(tarfile.TarInfo):
    """A header of a regular file. Others are refused before anything of them is read: some have bodies of any length."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Plain:
        made = super().frombuf(buf, encoding, errors)
        if made.type not in _REGULAR or made.name.endswith("/"):
            raise BadArchive(f"{made.name[:200]!r} is no regular file")
        return made


def _read(source: IO[bytes], target: Callable[[str, bool], IO[bytes] | None]) -> PlaneArchive:
    entries: dict[str, Entry] = {}
    kept: dict[str, bytes] = {}
    size = 0
    try:
        with tarfile.open(
            fileobj=_Bounded(source), mode="r|", tarinfo=_Plain, encoding="utf-8", errors="strict"
        ) as archive:
            for member in archive:
                name = member.name
                _check_name(name)
                if name in entries:
                    raise BadArchive(f"{name!r} is in it twice")
                if len(entries) == FILES:
                    raise BadArchive(f"it has more than {FILES} files")
                reader = archive.extractfile(member)
                assert reader is not None
                entries[name] = _copied(member, reader, target(name, member.mode & 0o100 != 0), kept)
                size += member.size
    except BadArchive:
        raise
    except (tarfile.TarError, OSError, EOFError, zlib.error, UnicodeError) as problem:
        raise BadArchive(f"it is no whole tar file in gzip: {problem}") from None
    try:
        described, lock = python_of(kept[DESCRIPTION]), check_lock(kept[LOCK])
    except KeyError as missing:
        raise BadArchive(f"it has no file {missing.args[0]!r}") from None
    return PlaneArchive(digest_of(entries.values()), described, lock[AIRFLOW], size)


def _copied(
    member: tarfile.TarInfo, reader: IO[bytes], target: IO[bytes] | None, kept: dict[str, bytes]
) -> Entry:
    """Read a file, keep it when its text is needed, and write it where it shall go."""
    keeps = member.name in (DESCRIPTION, LOCK)
    if keeps and member.size > _SMALL:
        raise BadArchive(f"{member.name} has more than {_SMALL // 1024 // 1024} MiB")
    sum, left = hashlib.sha256(), member.size
    try:
        while left:
            chunk = reader.read(min(_CHUNK, left))
            if not chunk:
                raise BadArchive(f"it ends inside {member.name!r}")
            left -= len(chunk)
            sum.update(chunk)
            if keeps:
                kept[member.name] = kept.get(member.name, b"") + chunk
            if target is not None:
                target.write(chunk)
    finally:
        if target is not None:
            target.close()
    return Entry(member.name, sum.hexdigest(), member.mode & 0o100 != 0)


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    if not _NAME.fullmatch(name) or "/".join(parts) != name or ".." in parts:
        raise BadArchive(f"{name[:200]!r} is no name of a file in it")
    top, *below = parts
    if (
        name in (DESCRIPTION, LOCK)
        or (top == PLUGINS and below)
        or (top == DIST and len(below) == 1 and _WHEEL.fullmatch(below[0]))
    ):
        return
    raise BadArchive(
        f"{name!r} does not belong into it: it holds {DESCRIPTION}, {LOCK}, {PLUGINS}/ and wheels in {DIST}/"
    )


def python_of(text: bytes) -> str:
    """The minor version that `plane.json` names. Raises BadArchive."""
    try:
        found: Any = json.loads(text)
        python = found["python"]
    except (ValueError, KeyError, TypeError):
        raise BadArchive(f"{DESCRIPTION} does not name a Python") from None
    if found.get("format") != _FORMAT:
        raise BadArchive(f"{DESCRIPTION} has the format {found.get('format')!r}, which is not known here")
    if not isinstance(python, str) or not _PYTHON.fullmatch(python):
        raise BadArchive(f"{DESCRIPTION}: python is not a minor version")
    return python


def check_lock(text: bytes) -> dict[str, str]:
    """The version of each package of a lock. Raises BadArchive for a line that is not one package in one version with the
    hashes of its files: an option would tell the installer to read other files, and an address is no package of the index."""
    try:
        lines = text.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise BadArchive(f"{LOCK} is not UTF-8") from None
    found: dict[str, str] = {}
    continued, hashed = False, True
    for number, line in enumerate(lines, start=1):
        content, is_continued = line.removesuffix("\\").rstrip(), line.endswith("\\")
        if not continued and (not content or content.startswith("#")) and not is_continued:
            continue
        if continued:
            if not _HASH.fullmatch(content):
                raise BadArchive(f"{LOCK}, line {number} is not a hash of sha256")
            hashed = True
        else:
            package = _REQUIREMENT.fullmatch(content)
            if package is None or not hashed:
                raise BadArchive(f"{LOCK}, line {number} is not one package in one version, with its hashes")
            name = re.sub(r"[-_.]+", "-", package["name"]).lower()
            found[name], hashed = package["version"], False
        continued = is_continued
    if continued or not hashed:
        raise BadArchive(f"{LOCK}: the last package has no hash")
    for needed in (AIRFLOW, PROVIDER):
        if needed not in found:
            raise BadArchive(f"{LOCK} has no {needed}")
    return found
