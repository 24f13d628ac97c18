"""Backups as files: what is left of one that could not be written."""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest

from tradewind_platform.drivers.backups import Backups
from tradewind_platform.reconciler.driver import BackupFile, Document, StepFailed
from tradewind_platform.security import streams


def nothing() -> None:
    """Happens while a database is copied."""


@dataclass
class Copies:
    """A database of some bytes."""

    happens: Callable[[], None] = nothing
    kind: str = "sqlite"

    def ready(self) -> None:
        """It always is."""

    @contextmanager
    def copied(self, document: Document) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        def pieces() -> Iterator[bytes]:
            yield b"first"
            self.happens()
            yield b"second"

        yield {"alembic_version": "abc"}, pieces()

    def verify(self, pieces: Iterator[bytes]) -> None:
        assert b"".join(pieces) == b"firstsecond"

    def replace(self, document: Document, pieces: Iterator[bytes]) -> None:
        raise AssertionError("nothing is restored")

    def size(self, document: Document) -> int:
        return 11


DOCUMENT = Document(
    id=UUID(int=7),
    slug="d2345abc",
    number=1,
    name="sales",
    revision=1,
    spec={"version": "3.3.2"},
    agent_url="https://agents.example.com/d2345abc",
    people_url="https://d2345abc.example.com",
    secrets={"fernet": "canary-fernet"},
    backup=BackupFile(UUID(int=9), base64.b64encode(streams.new_key()).decode()),
)


@pytest.mark.parametrize(
    ("number", "says", "final"),
    [
        (errno.ENOSPC, "No space left on device; make room there", True),
        (errno.EIO, "Input/output error", False),
    ],
    ids=["full", "broken"],
)
def test_a_volume_that_takes_no_backup_keeps_none_of_it_and_the_ones_that_were_there(
    tmp_path: Path, number: int, says: str, final: bool
) -> None:
    before = replace(DOCUMENT, backup=replace(DOCUMENT.backup, id=UUID(int=8)))  # type: ignore[type-var]
    Backups(tmp_path, Copies()).make(before)

    def breaks() -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(StepFailed, match=says) as failed:
        Backups(tmp_path, Copies(breaks)).make(DOCUMENT)
    assert failed.value.final is final, (
        "another try of a full one would keep the Deployment stopped for longer"
    )
    assert [one.name for one in (tmp_path / "d2345abc").iterdir()] == [f"{UUID(int=8)}.backup"]


def test_what_a_killed_backup_has_left_does_not_take_the_room_of_the_next_one(tmp_path: Path) -> None:
    left = tmp_path / "d2345abc" / f"{UUID(int=5)}.part"
    left.parent.mkdir()
    left.write_bytes(b"a part")
    seen = []
    facts = Backups(tmp_path, Copies(lambda: seen.append(left.exists()))).make(DOCUMENT)["backup"]
    assert seen == [False] and facts["size"] > 0
    assert [one.name for one in left.parent.iterdir()] == [f"{UUID(int=9)}.backup"]
