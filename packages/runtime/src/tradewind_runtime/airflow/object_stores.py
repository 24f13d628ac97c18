"""Whole objects of a bucket, written, read and deleted with the fewest requests and rights: the right to list is not needed.

Airflow's object storage paths make a folder before each write, which in a bucket is a request for the bucket and, without the
right to list it, an attempt to create it. They look at an object before they read it, and list it when it is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from itertools import chain
from typing import Any, Final

from airflow.sdk import ObjectStoragePath

PIECE: Final = 8 * 1024 * 1024
"""Bytes. A value up to this size is one request; larger ones are sent and fetched in parts of it."""

_WITHOUT_FOLDERS: Final = frozenset(
    {"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "adl", "az", "wasb", "wasbs"}
)
_TRANSPORT_ERRORS: Final = ("botocore.", "aiobotocore.", "azure.", "gcsfs.", "google.", "aiohttp.")


def write(place: ObjectStoragePath, pieces: Iterator[bytes], *, compression: str = "") -> None:
    """Store an object of those pieces, each of `PIECE` bytes at most. Raises what the file system raises."""
    fs = place.fs
    if _protocol(place) not in _WITHOUT_FOLDERS:
        place.parent.mkdir(parents=True, exist_ok=True)
    first, second = next(pieces, b""), next(pieces, None)
    if second is None and not compression:
        fs.pipe_file(place.path, first)
        return
    try:
        with (
            fs.open(place.path, mode="wb", block_size=PIECE) as stored,
            _compressed(stored, compression) as file,
        ):
            for piece in chain((first,), () if second is None else (second,), pieces):
                file.write(piece)
    except BaseException:
        with suppress(Exception):  # closing stores what there is; the error that is raised says more
            fs.rm_file(place.path)
        raise


def read(place: ObjectStoragePath) -> Iterator[bytes]:
    """An object in pieces of `PIECE` bytes at most. Raises FileNotFoundError and what the file system raises."""
    fs, path = place.fs, place.path
    if _protocol(place) not in _WITHOUT_FOLDERS or _is_compressed(path):
        with fs.open(path, mode="rb", compression="infer", block_size=PIECE) as file:
            while piece := file.read(PIECE):
                yield piece
        return
    piece = fs.cat_file(path, start=0, end=PIECE)
    yield piece
    if len(piece) < PIECE:
        return
    size = int(fs.size(path))
    for start in range(PIECE, size, PIECE):
        yield fs.cat_file(path, start=start, end=min(start + PIECE, size))


def delete(place: ObjectStoragePath) -> None:
    """Delete an object. Idempotent. Raises what the file system raises."""
    with suppress(FileNotFoundError):
        place.fs.rm_file(place.path)


def is_failure(error: BaseException) -> bool:
    """True for what file systems raise when a storage refuses or does not answer: some have exceptions of their own."""
    return isinstance(error, (OSError, TimeoutError)) or any(
        f"{kind.__module__}.".startswith(_TRANSPORT_ERRORS) for kind in type(error).__mro__
    )


def _compressed(stored: Any, compression: str) -> AbstractContextManager[Any]:
    """A file that is written in compressed form to one that is open.

    A file that fsspec opens with a compression does not close the one that stores the object: that would be stored whenever
    Python's collector comes by, after its reference is with the plane or never.
    """
    from fsspec.compression import compr  # type: ignore[import-untyped]

    return closing(compr[compression](stored, mode="w")) if compression else nullcontext(stored)


def _is_compressed(path: str) -> bool:
    import fsspec.utils  # type: ignore[import-untyped]

    return fsspec.utils.infer_compression(path) is not None


def _protocol(place: Any) -> str:
    return str(place.protocol or "file")
