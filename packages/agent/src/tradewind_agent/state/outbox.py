"""What the plane must hear, on disk until it has heard it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal
from uuid import UUID

from tradewind_protocol.attempts import AttemptRef

EntryKind = Literal["finish", "state"]

_SCHEMA = """
create table if not exists entry (
  seq integer primary key autoincrement,
  kind text not null,
  attempt_id text not null,
  epoch integer not null,
  method text not null,
  path text not null,
  headers text not null,
  body blob not null,
  at real not null,
  tries integer not null default 0
);
create unique index if not exists first_outcome_counts on entry (attempt_id, epoch) where kind = 'finish';
"""


@dataclass(frozen=True)
class Entry:
    """One request that waits for the plane."""

    seq: int
    kind: EntryKind  # "state": a call a task made while the plane was away; "finish": how the attempt ended
    attempt_id: UUID
    epoch: int
    method: str
    path: str  # under the protocol's prefix
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    at: float  # wall clock seconds
    tries: int


class Outbox:
    """A queue on disk, in order for each attempt; survives the process and a power cut.

    `put` is one synchronous transaction of a few milliseconds, on purpose: nothing can cancel it half way, so an
    outcome is recorded even while the agent is being stopped.
    """

    def __init__(self, path: Path, *, now: Callable[[], float]) -> None:
        self._path = path
        self._now = now
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Outbox:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path.touch(mode=0o600)
        self._db = sqlite3.connect(self._path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)
        (self._news if len(self) else self._empty).set()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def put(
        self,
        *,
        kind: EntryKind,
        attempt_id: UUID,
        epoch: int,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str] | None = None,
    ) -> bool:
        """Keep a request until the plane has answered it; on disk when this returns.

        Of several "finish" entries of one attempt and epoch the first counts: False means one was there already.
        Raises sqlite3.Error when the disk refuses.
        """
        cursor = self._connection.execute(
            "insert or ignore into entry (kind, attempt_id, epoch, method, path, headers, body, at)"
            " values (?, ?, ?, ?, ?, ?, ?, ?)",
            (kind, str(attempt_id), epoch, method, path, json.dumps(dict(headers or {})), body, self._now()),
        )
        self._news.set()
        self._empty.clear()
        return cursor.rowcount == 1

    def due(self, most: int = 100) -> list[Entry]:
        """The oldest entry of each attempt, oldest first: what may be sent now, side by side."""
        rows = self._connection.execute(
            "select seq, kind, attempt_id, epoch, method, path, headers, body, at, tries from entry"
            " where seq in (select min(seq) from entry group by attempt_id) order by seq limit ?",
            (most,),
        )
        return [
            Entry(
                seq=seq,
                kind=kind,
                attempt_id=UUID(attempt_id),
                epoch=epoch,
                method=method,
                path=path,
                headers=json.loads(headers),
                body=bytes(body),
                at=at,
                tries=tries,
            )
            for seq, kind, attempt_id, epoch, method, path, headers, body, at, tries in rows
        ]

    def settled(self, seq: int) -> None:
        """The plane has taken the entry, or will never take it: forget it. Idempotent.

        Not on disk yet when this returns: after a power cut it may be sent once more, which changes nothing.
        """
        self._connection.execute("pragma synchronous = normal")
        try:
            self._connection.execute("delete from entry where seq = ?", (seq,))
        finally:
            self._connection.execute("pragma synchronous = full")
        if self._connection.execute("select 1 from entry limit 1").fetchone() is None:
            self._empty.set()

    def tried(self, seq: int) -> None:
        """Count one more answer that was neither."""
        self._connection.execute("update entry set tries = tries + 1 where seq = ?", (seq,))

    def unfinished(self) -> set[UUID]:
        """Attempts with something left to deliver."""
        return {ref.attempt_id for ref in self.refs()}

    def refs(self) -> list[AttemptRef]:
        """The same, each with its newest grant."""
        rows = self._connection.execute("select attempt_id, max(epoch) from entry group by attempt_id")
        return [AttemptRef(attempt_id=UUID(attempt_id), epoch=epoch) for attempt_id, epoch in rows]

    def oldest(self) -> float | None:
        """When the oldest entry was put, in wall clock seconds."""
        value = self._connection.execute("select min(at) from entry").fetchone()[0]
        return None if value is None else float(value)

    async def wait(self) -> None:
        """Return when something was put since the last time this returned (or is left from an earlier life)."""
        await self._news.wait()
        self._news.clear()

    async def wait_empty(self) -> None:
        """Return when the plane has everything."""
        await self._empty.wait()

    def __len__(self) -> int:
        return int(self._connection.execute("select count(*) from entry").fetchone()[0])

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError("the outbox is closed")
        return self._db
