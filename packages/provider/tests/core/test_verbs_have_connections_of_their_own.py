"""Transactions of agents' verbs, over connections that Airflow's own requests do not use."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from tradewind_provider.airflow.database import connections, create_session, dialect, verb_session
from tradewind_provider.api import transactions
from tradewind_provider.clock import utc_now
from tradewind_provider.store.tables import Event


def _event() -> Event:
    return Event(at=utc_now(), action="tried", actor="test", subject="verb", detail={})


def _events() -> int:
    with create_session() as db:
        return int(db.scalar(select(func.count()).select_from(Event)) or 0)


def test_they_are_as_many_as_airflow_keeps_and_none_of_them_airflows() -> None:
    with verb_session() as ours, create_session() as theirs:
        if dialect(ours) == "sqlite":
            assert connections() is None
            return
        assert ours.get_bind() is not theirs.get_bind()
        assert ours.connection().connection.dbapi_connection is not (
            theirs.connection().connection.dbapi_connection
        )
        assert connections() == theirs.get_bind().pool.size()  # type: ignore[union-attr]


def test_what_a_verb_writes_is_there_once_it_has_ended() -> None:
    with verb_session() as db:
        db.add(_event())
    assert _events() == 1


def test_a_verb_that_fails_leaves_nothing() -> None:
    with pytest.raises(RuntimeError, match="half way"), verb_session() as db:
        db.add(_event())
        db.flush()
        raise RuntimeError("half way")
    assert _events() == 0


def _other_end(db: Session) -> str:
    """PostgreSQL's process that serves this connection."""
    return str(db.scalar(text("SELECT pg_backend_pid()")))


def test_a_forked_process_has_connections_of_its_own() -> None:
    if connections() is None:
        pytest.skip("none are kept")
    mine = transactions.in_transaction(_other_end)
    assert transactions.in_transaction(_other_end) == mine, "it is kept"
    told, tell = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(tell, transactions.in_transaction(_other_end).encode())
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(told) as said:
        its = said.read()
    os.waitpid(child, 0)
    assert its and its != mine
    assert transactions.in_transaction(_other_end) == mine
