"""Files in the home of another user. Root writes and reads them there and follows no link of that user, who could otherwise name a
file of the machine and be given it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

_TAIL_BYTES: Final = 256 * 1024
_LINKS: Final = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO)
"""What opening a link, a file as a directory, a directory as a file or a pipe that nobody reads says."""


class LinkFound(OSError):
    """A link, or what is no file or directory, stands where one of a home's own shall be."""


class HomeFiles:
    """Names below `home`, which stands in a directory that only root writes. Everything made belongs to `user`.

    Without a user the files are the process's own, and links that their owner has made count.
    """

    def __init__(self, home: Path, user: int | None) -> None:
        self._home = home
        self._user = user
        self._own = os.O_CLOEXEC | (0 if user is None else os.O_NOFOLLOW | os.O_NONBLOCK)

    def write(self, name: str, text: str) -> None:
        """Replace the file by one with this text, for its owner only. A link of that name is replaced, and not written through."""
        part = f".{name}.part"
        with self._opened() as home:
            if _exists(part, home):
                os.unlink(part, dir_fd=home)
            made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | self._own, 0o600, dir_fd=home)
            with os.fdopen(made, "w", encoding="utf-8") as file:
                self._give(made)
                file.write(text)
            os.replace(part, name, src_dir_fd=home, dst_dir_fd=home)

    def read(self, name: str) -> str:
        """The text of the file; empty when there is none. Raises LinkFound."""
        with self._opened() as home:
            try:
                with self._file(name, os.O_RDONLY, home) as file:
                    return file.read().decode()
            except FileNotFoundError:
                return ""

    def make_directory(self, name: str) -> None:
        """Idempotent. Raises LinkFound."""
        with self._opened() as home:
            try:
                os.mkdir(name, 0o755, dir_fd=home)
            except FileExistsError:
                pass
            with self._directory(name, home) as made:
                self._give(made)

    def appended(self, directory: str, name: str) -> BinaryIO:
        """The file in the directory, to be written at its end. Both are made when they are missing. Raises LinkFound."""
        with self._opened() as home:
            if not _exists(directory, home):
                os.mkdir(directory, 0o755, dir_fd=home)
                with self._directory(directory, home) as made:
                    self._give(made)
            with self._directory(directory, home) as inside:
                file = self._file(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, inside)
                self._give(file.fileno())
                return file

    def last_lines(self, directory: str, name: str, count: int) -> list[str]:
        """The last lines of the file, from its last 256 KiB; empty when there is no such file. Raises LinkFound."""
        with self._opened() as home:
            try:
                with (
                    self._directory(directory, home) as inside,
                    self._file(name, os.O_RDONLY, inside) as file,
                ):
                    size = os.fstat(file.fileno()).st_size
                    file.seek(max(size - _TAIL_BYTES, 0))
                    lines = file.read(_TAIL_BYTES).decode(errors="replace").splitlines()
            except FileNotFoundError:
                return []
        whole = lines[1:] if size > _TAIL_BYTES else lines
        return whole[-count:] if count else []

    # ---- parts

    @contextmanager
    def _opened(self) -> Iterator[int]:
        home = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield home
        finally:
            os.close(home)

    @contextmanager
    def _directory(self, name: str, home: int) -> Iterator[int]:
        try:
            found = os.open(name, os.O_RDONLY | os.O_DIRECTORY | self._own, dir_fd=home)
        except OSError as error:
            if error.errno in _LINKS:
                raise self._link(name) from None
            raise
        try:
            yield found
        finally:
            os.close(found)

    def _file(self, name: str, flags: int, directory: int) -> BinaryIO:
        try:
            found = os.open(name, flags | self._own, 0o600, dir_fd=directory)
        except OSError as error:
            if error.errno in _LINKS:
                raise self._link(name) from None
            raise
        what = os.fstat(found)
        if self._user is not None and (not stat.S_ISREG(what.st_mode) or what.st_nlink > 1):
            os.close(found)
            raise self._link(name)
        return os.fdopen(found, "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "ab")

    def _link(self, name: str) -> LinkFound:
        return LinkFound(f"{name} in {self._home} is a link, or neither a file nor a directory; remove it")

    def _give(self, opened: int) -> None:
        if self._user is not None:
            os.fchown(opened, self._user, self._user)


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
