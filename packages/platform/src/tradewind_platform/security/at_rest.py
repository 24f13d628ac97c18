"""The key ring and the tables: what is encrypted, with which keys, and how they are rotated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.security.key_ring import KeyProblem, KeyRing, key_of
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import ENCRYPTED, EncryptionKey

_CHECK: Final = "tradewind"
_AT_ONCE: Final = 200


def row_of(table: type[Any], id: UUID, column: str) -> str:
    """The associated data of a value: it decrypts in this row and column only."""
    return f"{table.__tablename__}:{id}:{column}"


def check_keys(store: Store, ring: KeyRing, *, now: datetime) -> None:
    """Raises KeyProblem when a key that values are encrypted with is missing or another one; remembers new keys.

    A platform that cannot read its secrets must not start: it would make new ones beside them.
    """
    with store.across_organizations() as db:
        known = {one.id: one for one in db.scalars(select(EncryptionKey))}
        for key in known:
            if key not in ring.ids:
                raise KeyProblem(
                    f"the database has values that are encrypted with the key {key}, which the key file has not; "
                    "put that key back into the file"
                )
            ring.decrypt(known[key].check, row=_check_row(key))
        _remember(db, ring, set(known), now)


def rotate(store: Store, ring: KeyRing, *, now: datetime) -> tuple[str, int]:
    """Put a new key in front and encrypt every value with it. Returns its id and how many values were encrypted anew.

    Each batch is a transaction; a platform that runs reads the file again by itself. What one encrypted with the key before and
    commits only now is found by another pass: the last one has found nothing. May be repeated.
    """
    made = ring.add()
    with store.across_organizations() as db:
        _remember(db, ring, {one.id for one in db.scalars(select(EncryptionKey))}, now)
    count = 0
    while found := sum(_encrypted_anew(store, ring, table, column) for table, column in ENCRYPTED):
        count += found
    return made, count


def remove_key(store: Store, ring: KeyRing, key: str) -> None:
    """Take a key out of the file. Raises KeyProblem while a value is encrypted with it."""
    with store.across_organizations() as db:
        for table, column in ENCRYPTED:
            if any(key_of(stored) == key for stored in db.scalars(select(getattr(table, column)))):
                raise KeyProblem(
                    f"{table.__tablename__} has values that are encrypted with the key {key}; rotate first"
                )
        ring.remove(key)
        if (row := db.get(EncryptionKey, key)) is not None:
            db.delete(row)


def _remember(db: Session, ring: KeyRing, known: set[str], now: datetime) -> None:
    for key in ring.ids:
        if key not in known:
            check = ring.encrypt(_CHECK, row=_check_row(key), key=key)
            db.add(EncryptionKey(id=key, check=check, created_at=now))


def _encrypted_anew(store: Store, ring: KeyRing, table: type[Any], column: str) -> int:
    wanted, count = ring.ids[0], 0  # that of another rotation, when one began meanwhile
    for ids in _batches(store, table):
        with store.across_organizations() as db:
            for row in db.scalars(select(table).where(table.id.in_(ids)).with_for_update()):
                stored = getattr(row, column)
                if key_of(stored) != wanted:
                    at = row_of(table, row.id, column)
                    setattr(row, column, ring.encrypt(ring.decrypt(stored, row=at), row=at, key=wanted))
                    count += 1
    return count


def _batches(store: Store, table: type[Any]) -> Iterator[list[UUID]]:
    with store.across_organizations() as db:
        ids = list(db.scalars(select(table.id).order_by(table.id)))
    for first in range(0, len(ids), _AT_ONCE):
        yield ids[first : first + _AT_ONCE]


def _check_row(key: str) -> str:
    return f"encryption_key:{key}:check"
