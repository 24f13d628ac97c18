"""Watches in which order the transactions of the platform lock rows, on any database: SQLite is not asked to lock, and the order is the
same."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Table, event
from sqlalchemy.orm import ORMExecuteState, Session, object_mapper
from sqlalchemy.sql import util

from tradewind_platform.store.lock_order import ORDER

_LAST = len(ORDER)


def _rank(table: str) -> int:
    return ORDER.index(table) if table in ORDER else _LAST


def _locked_by(state: ORMExecuteState) -> frozenset[str]:
    statement: Any = state.statement
    lock = getattr(statement, "_for_update_arg", None) if state.is_select else None
    if lock is None:
        return frozenset()
    key = statement._generate_cache_key()  # the same for all statements that differ in values alone
    return _tables_of(_Locking(key.key if key else id(statement), statement))


@dataclass(frozen=True)
class _Locking:
    key: Hashable
    statement: Any = field(compare=False)


@lru_cache(maxsize=1000)
def _tables_of(one: _Locking) -> frozenset[str]:
    """SQLAlchemy compiles half of a statement to know from what it selects."""
    named = one.statement._for_update_arg.of or one.statement.get_final_froms()
    return frozenset(
        table.name for part in named for table in util.find_tables(part) if isinstance(table, Table)
    )


@contextmanager
def watching() -> Iterator[list[str]]:
    """What was locked meanwhile after something that is to be locked later, once for each."""
    found: list[str] = []
    of_this_watch = object()

    def note(session: Session, tables: Iterable[str]) -> None:
        held: list[str] = session.info.setdefault(of_this_watch, [])
        for table in sorted(set(tables) - set(held), key=_rank):
            later = [one for one in held if _rank(one) > _rank(table)]
            if later and (what := f"{table} after {', '.join(later)}") not in found:
                found.append(what)
            held.append(table)

    def note_statement(state: ORMExecuteState) -> None:
        if "writes" in state.session.info and (tables := _locked_by(state)):
            if state.session.autoflush:
                state.session.flush()  # as it is about to, after this
            note(state.session, tables)

    def note_rows(session: Session, *_: object) -> None:
        if "writes" in session.info:
            made: list[object] = session.info.setdefault((of_this_watch, "made"), [])
            made += session.new  # nobody else sees these, so that nobody waits for them
            changed = [one for one in session.dirty if session.is_modified(one) and one not in made]
            names = {object_mapper(one).local_table.name for one in (*changed, *session.deleted)}  # type: ignore[attr-defined]
            note(session, names & set(ORDER))

    event.listen(Session, "do_orm_execute", note_statement)
    event.listen(Session, "before_flush", note_rows)
    try:
        yield found
    finally:
        event.remove(Session, "do_orm_execute", note_statement)
        event.remove(Session, "before_flush", note_rows)
