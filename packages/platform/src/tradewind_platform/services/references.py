"""Finds what a name or an id means."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tradewind_platform.store.base import Scoped
from tradewind_platform.store.lock_order import locked

Row = TypeVar("Row", bound=Scoped)


def uuid_of(text: str) -> UUID | None:
    """The UUID that a text is, or None. No name may be one."""
    try:
        return UUID(text)
    except ValueError:
        return None


def found_by(db: Session, table: type[Row], reference: str, name: InstrumentedAttribute[Any]) -> Row | None:
    """The row of that id or name, locked for a change on PostgreSQL when the session makes one."""
    id = uuid_of(reference)
    statement = select(table).where(table.id == id if id is not None else name == reference)
    if db.info.get("writes"):
        statement = locked(statement)
    return db.scalar(statement)


def id_of(db: Session, table: type[Row], reference: str, name: InstrumentedAttribute[Any]) -> UUID | None:
    """The id of the row of that id or name, which is not locked: where other rows are to be locked first."""
    id = uuid_of(reference)
    return db.scalar(select(table.id).where(table.id == id if id is not None else name == reference))
