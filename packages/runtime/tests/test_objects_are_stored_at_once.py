"""An object is in its bucket when `write` returns, whenever Python's collector comes by."""

from __future__ import annotations

import gzip
from types import SimpleNamespace
from typing import Any

import pytest
from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from tradewind_runtime.airflow import object_stores


class Bucket(AbstractFileSystem):
    """Stores an object as its file is closed, as the clouds' file systems do. Each file is still referred to afterwards."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}
        self.opened: list[Any] = []

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        self.opened.append(Upload(self, path, mode, **options))
        return self.opened[-1]

    def pipe_file(self, path: str, value: bytes, **_: Any) -> None:
        self.objects[path] = value


class Upload(AbstractBufferedFile):
    parts = b""

    def _initiate_upload(self) -> None:
        """Nothing is sent before the first part."""

    def _upload_chunk(self, final: bool = False) -> bool:
        self.parts += self.buffer.getvalue()
        if final:
            self.fs.objects[self.path] = self.parts
        return True


@pytest.mark.parametrize("compression", ["", "gzip"])
@pytest.mark.parametrize("pieces", [[b"small"], [b"two", b" pieces"]])
def test_an_object_is_there_when_write_returns(compression: str, pieces: list[bytes]) -> None:
    bucket = Bucket()
    place: Any = SimpleNamespace(fs=bucket, path="site/value", protocol="gs")
    object_stores.write(place, iter(pieces), compression=compression)
    stored = bucket.objects["site/value"]
    assert (gzip.decompress(stored) if compression else stored) == b"".join(pieces)
