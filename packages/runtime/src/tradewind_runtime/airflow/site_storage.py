"""A site's storage for XCom values and for task and asset state: a folder or a bucket, written and read by Airflow's
object storage paths."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar

import fsspec.utils  # type: ignore[import-untyped]
from airflow.sdk import ObjectStoragePath
from airflow.sdk.configuration import conf

from tradewind_protocol import storage
from tradewind_protocol.sessions import Storage
from tradewind_protocol.storage import Reference
from tradewind_runtime import json_pieces, storage_marks
from tradewind_runtime.airflow import object_stores

_DRAFT: Final = ".part"
_Done = TypeVar("_Done")


class ValueGone(RuntimeError):
    """The plane has a reference, the site's storage does not have the value."""


class StorageUnavailable(RuntimeError):
    """The site's storage refuses a request, or does not answer. The value may well be there."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.problem, self.remedy = problem, remedy


class ForeignReference(ValueError):
    """A reference to a value in another storage than this agent's."""


@dataclass(frozen=True)
class SiteStorage:
    """One storage: where it is, and how values are written to it."""

    what: str  # "XCom" or "state": begins sentences
    base: str  # URL without a trailing slash; empty where none is configured
    mark: str
    compression: str  # fsspec's name; empty: none
    threshold: int  # bytes from which a value is stored; below 0: none is
    setting: str  # what an owner sets to move it

    @property
    def suffix(self) -> str:
        if not self.compression:
            return ""
        for suffix, name in fsspec.utils.compressions.items():
            if name == self.compression:
                return f".{suffix}"
        raise ValueError(
            f"{self.setting.replace('_path', '_compression')} = {self.compression!r} is not known here"
        )

    def write(self, reference: Reference, pieces: Iterator[bytes]) -> None:
        """Store an object of those pieces. On a disk a reader sees all of it or nothing. Raises StorageUnavailable."""
        with self._explained("write", reference.path, "written"):
            if (folder := storage_marks.folder_of(self.base)) is not None and not self.compression:
                _write_file(folder / reference.path, pieces)
            else:
                object_stores.write(self._place(reference.path), pieces, compression=self.compression)

    def read(self, reference: Reference) -> Any:
        """The JSON behind a reference of this storage. Raises ForeignReference, and what `read_path` raises."""
        self.require_own(reference)
        return self.read_path(reference.path)

    def read_path(self, path: str) -> Any:
        """The JSON of the object at `path`, which is relative to the base. Raises ValueGone when there is none,
        StorageUnavailable when the storage does not say."""
        try:
            with self._explained("read", path, "read"):
                return json_pieces.decode(object_stores.read(self._place(path)))
        except (FileNotFoundError, NotADirectoryError):
            problem = "is not there: it was deleted, or its storage is another one than when it was written"
        except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are
            problem = f"is damaged ({error})"
        raise ValueGone(
            f"the {self.what} value at {self.base}/{path} {problem}. Clear the task that wrote it; and see that every "
            f"agent and task environment of this site has the same storage: {self.remedy}"
        )

    def delete(self, reference: Reference) -> None:
        """Delete the value behind a reference of this storage. What is gone, and what is elsewhere, is passed over."""
        if self.owns(reference):
            self.delete_path(reference.path)

    def delete_path(self, path: str) -> None:
        """Delete the object at `path`, which is relative to the base. Idempotent. Raises StorageUnavailable."""
        with self._explained("delete", path, "deleted"):
            object_stores.delete(self._place(path))

    def objects(self, *, below: Collection[str] | None = None) -> Iterator[tuple[Reference, int, float]]:
        """Every value of this storage with its size and the time it was written (seconds since 1970). What is no value
        of ours is passed over, as is one whose file system does not say when it was written. `below`: only those
        of XComs and of tasks' state in these folders of Dags."""
        root = self._place("")
        root.fs.invalidate_cache()
        tops = [""] if below is None else [f"{top}{dag}" for dag in below for top in ("", "tasks/")]
        for top in tops:
            folder = f"{root.path.rstrip('/')}/{top}".rstrip("/")
            for path, about in root.fs.find(folder, detail=True).items():
                reference = storage.parse(f"{self.base}/{str(path)[len(root.path.rstrip('/')) + 1 :]}")
                modified = _written(about)
                if reference is not None and modified is not None and self.owns(reference):
                    yield reference, int(about.get("size") or 0), modified

    def tidy(self, dag: str, run: str, *, before: float) -> None:
        """Remove what is left of a run's folders on a disk: drafts of processes that were killed, written at `before` or
        earlier, and folders with nothing in them."""
        folder = storage_marks.folder_of(self.base)
        for top in () if folder is None else (folder / dag / run, folder / "tasks" / dag / run):
            for path, _, files in os.walk(top, topdown=False):
                for name in files:
                    draft = Path(path, name)
                    with suppress(OSError):  # another process has removed it
                        if name.endswith(_DRAFT) and draft.stat().st_mtime <= before:
                            draft.unlink()
                with suppress(OSError):  # it is not empty
                    os.rmdir(path)
            with suppress(OSError):  # other runs of the Dag have values
                os.rmdir(top.parent)

    def owns(self, reference: Reference) -> bool:
        """True when the value lies in this storage. A mark decides, where both have one: one shared folder has other
        paths on other machines, and the same path on two machines is two folders."""
        if not self.base:
            return False
        if reference.mark and self.mark:
            return reference.mark == self.mark
        return reference.base == self.base

    def require_own(self, reference: Reference) -> None:
        """Raises ForeignReference when the value lies in another storage."""
        if self.owns(reference):
            return
        theirs, own = reference.base, self.base or "(none: they go to the plane)"
        if theirs == own:
            theirs += f" (mark {reference.mark}, on another disk)"
            own += f" (mark {self.mark or 'none'})"
        raise ForeignReference(
            f"the {self.what} value is in another storage than this agent's and cannot be read here: it was written to "
            f"{theirs}, this agent keeps its values in {own}. Every agent and task environment of a site needs the same "
            f"storage: {self.remedy}"
        )

    @property
    def remedy(self) -> str:
        return f"set `storage` in the agents' settings to one shared folder or bucket, or {self.setting} in their environments"

    def place(self, reference: Reference) -> ObjectStoragePath:
        """Where in this storage the value of a reference lies."""
        return self._place(reference.path)

    @contextmanager
    def _explained(self, right: str, path: str, done: str) -> Iterator[None]:
        """Name the storage, the cause and the remedy of what a storage refuses. A missing object and a damaged one pass."""
        try:
            yield
        except (ValueError, StorageUnavailable):
            raise
        except Exception as error:
            if isinstance(error, (FileNotFoundError, NotADirectoryError)) and right != "write":
                raise
            if not object_stores.is_failure(error):
                raise
            raise StorageUnavailable(
                f"the {self.what} value at {self.base}/{path} cannot be {done}: {cause(error)}",
                _remedy(error, right, self.setting),
            ) from error

    def _place(self, path: str) -> ObjectStoragePath:
        return ObjectStoragePath(f"{self.base}/{path}")


def cause(error: BaseException) -> str:
    """What a storage answered, in one line."""
    said = str(getattr(error, "strerror", None) or error).strip()
    return f"{type(error).__name__}: {said.splitlines()[0][:400]}" if said else type(error).__name__


def is_denied(error: BaseException) -> bool:
    """Whether a storage knows the identity and refuses, or does not know it."""
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return isinstance(error, PermissionError) or str(status) in ("401", "403")


def _remedy(error: BaseException, right: str, setting: str) -> str:
    if is_denied(error):
        also = ". S3 answers so for a missing object, too, when the role may not list the bucket" * (
            right == "read"
        )
        return f"Give this environment's identity the right to {right} objects there{also}"
    if isinstance(error, FileNotFoundError):
        return f"Create the bucket or container, or correct {setting}; the agent never creates one"
    return (
        "Retries of the task help once the storage answers: see that it can be reached from this environment"
    )


def _written(about: dict[str, Any]) -> float | None:
    """When an object was written, by the names that fsspec's file systems have for it."""
    for name in ("mtime", "LastModified", "last_modified", "updated", "modified", "created"):
        written = about.get(name)
        if isinstance(written, str):
            with suppress(ValueError):  # no moment: the next name may have one
                written = datetime.fromisoformat(written.replace("Z", "+00:00"))
        if isinstance(written, datetime):
            return written.timestamp()
        if isinstance(written, (int, float)) and not isinstance(written, bool):
            return float(written)
    return None


def _write_file(path: Path, pieces: Iterator[bytes]) -> None:
    """Retried when the folder is gone: what cleans up removes empty ones."""
    draft = path.with_name(f".{secrets.token_hex(8)}{_DRAFT}")
    try:
        # who else may read it is the umask's and the folder's affair
        with _with_folder(path, lambda: draft.open("xb")) as file:
            for piece in pieces:
                file.write(piece)
        _with_folder(path, lambda: os.replace(draft, path))
    except BaseException:
        with suppress(OSError):  # it was never made
            draft.unlink()
        raise


def _with_folder(path: Path, do: Callable[[], _Done]) -> _Done:
    for _ in range(2):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # the folder was removed in between
            return do()
    path.parent.mkdir(parents=True, exist_ok=True)
    return do()


@cache
def of_xcoms() -> SiteStorage:
    """Where XCom values go by this process's configuration."""
    return _configured("XCom", "xcom_objectstorage", default=-1)


@cache
def of_state() -> SiteStorage:
    """Where values of task and asset state go by this process's configuration."""
    return _configured("state", "state_store_objectstorage", default=0)


def _configured(what: str, prefix: str, *, default: int) -> SiteStorage:
    section = "common.io"
    base = storage_marks.as_url(conf.get(section, f"{prefix}_path", fallback="") or "")
    return SiteStorage(
        what=what,
        base=base,
        mark=storage_marks.mark_of(base),
        compression=conf.get(section, f"{prefix}_compression", fallback="") or "",
        threshold=conf.getint(section, f"{prefix}_threshold", fallback=default),
        setting=f"[{section}] {prefix}_path",
    )


def of_this_process() -> Storage:
    """What the plane is told of where XCom values go; nothing where they are not stored by this site's backend."""
    place = of_xcoms()
    ours = conf.get("core", "xcom_backend", fallback="").endswith(".SiteXComBackend")
    return Storage(base=place.base, mark=place.mark) if ours and place.threshold >= 0 else Storage()


def dumped(value: Any) -> Iterator[bytes]:
    """A serialized value as it is stored, in pieces. Raises TypeError for what is no JSON."""
    return json_pieces.encode(value, piece=object_stores.PIECE)


def reaches(pieces: Iterator[bytes], threshold: int) -> tuple[bool, Iterator[bytes]]:
    """Whether the pieces have `threshold` bytes or more, and the pieces: no more of them is made than it takes to tell."""
    made, size = [], 0
    while size < threshold and (piece := next(pieces, b"")):
        made.append(piece)
        size += len(piece)
    return size >= threshold, chain(made, pieces)
