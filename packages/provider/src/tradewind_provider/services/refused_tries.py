"""Tries of agents that were refused, by where they came from: what a person asks for whose agent does not connect.

A row says how often and when, never with which credential. There are at most MOST rows, and the oldest go first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import RefusedTry

MOST: Final = 500
KEPT: Final = timedelta(days=7)


@dataclass(frozen=True)
class Tally:
    """Tries that are alike, since the last time they were written down."""

    source: str
    endpoint: str
    code: str
    message: str
    path: str
    version: str
    tries: int
    last_at: datetime


def record(db: Session, tallies: Sequence[Tally], *, now: datetime) -> None:
    """Add to what is there. Not idempotent: a transaction that is made again has changed nothing before."""
    for one in tallies:
        key = (one.source[:64], one.endpoint[:100], one.code[:40])
        row = db.get(RefusedTry, key)
        if row is None:
            row = RefusedTry(source=key[0], endpoint=key[1], code=key[2], first_at=one.last_at, tries=0)
            db.add(row)
        row.tries = min(row.tries + one.tries, 2**31 - 1)
        row.last_at, row.message, row.path, row.version = (
            one.last_at,
            one.message[:500],
            one.path[:200],
            one.version[:20],
        )
    db.flush()
    forget(db, now=now)


def forget(db: Session, *, now: datetime) -> None:
    """Delete rows that are old, and the oldest ones of too many."""
    changed(db, delete(RefusedTry).where(RefusedTry.last_at < now - KEPT))
    if (db.scalar(select(func.count()).select_from(RefusedTry)) or 0) > MOST:
        newest = db.scalars(
            select(RefusedTry.last_at).order_by(RefusedTry.last_at.desc()).offset(MOST - 1).limit(1)
        ).one()
        changed(db, delete(RefusedTry).where(RefusedTry.last_at < newest))


def last(db: Session, *, source: str = "", endpoint: str | None = None, limit: int = 100) -> list[RefusedTry]:
    """The newest first; of one address, or by one endpoint (empty: the public way), if these are given."""
    statement = select(RefusedTry).order_by(RefusedTry.last_at.desc(), RefusedTry.code).limit(limit)
    if source:
        statement = statement.where(RefusedTry.source == source)
    if endpoint is not None:
        statement = statement.where(RefusedTry.endpoint == endpoint)
    return list(db.scalars(statement))
