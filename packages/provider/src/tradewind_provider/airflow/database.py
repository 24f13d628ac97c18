"""Airflow's metadata database and its Fernet key."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from airflow import settings as airflow_settings
from airflow.models.crypto import get_fernet
from airflow.utils.retries import run_with_db_retries
from airflow.utils.session import create_session as airflow_create_session
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

T = TypeVar("T")

log = logging.getLogger(__name__)


@contextmanager
def create_session() -> Iterator[Session]:
    """One transaction of Airflow's database: commits at the end, rolls back when the body raises. Blocks; call it
    from a thread, not from the event loop."""
    with airflow_create_session(scoped=False) as session:
        yield session


def committed(do: Callable[[Session], T]) -> T:
    """What `do` returns in a transaction of its own, once that is committed. `do` is called again where the database
    refuses the transaction (a lock, a deadlock, a connection that broke), as often as Airflow does it."""
    for attempt in run_with_db_retries(logger=log):
        with attempt, create_session() as session:
            done = do(session)
    return done


# Airflow's engine, and ours beside it: the process's, as Airflow's own is, which may be made anew after a fork.
_own: list[tuple[Engine, Engine]] = []


@contextmanager
def verb_session() -> Iterator[Session]:
    """As `create_session`, over connections that Airflow's own requests do not use.

    Airflow keeps five connections of each process open and closes every further one after its transaction. Where agents
    and Airflow's requests share those, most transactions of a busy minute open a connection: 5 ms of CPU each, most of
    it in PostgreSQL. No more than `connections()` at once stay within what is kept.
    """
    if (engine := _engine()) is None:
        with create_session() as session:
            yield session
        return
    make = airflow_settings.NonScopedSession
    assert make is not None  # there is an engine
    with make(bind=engine) as session, session.begin():
        yield session


def connections() -> int | None:
    """How many connections of `verb_session` are kept open; None where none are (SQLite, a pooler before the database)."""
    engine = _engine()
    return engine.pool.size() if engine is not None and isinstance(engine.pool, QueuePool) else None


def _engine() -> Engine | None:
    """An engine like Airflow's, with a pool like its pool; None where Airflow's keeps no connections of its own."""
    airflows = airflow_settings.engine
    if _own and _own[0][0] is airflows:
        return _own[0][1]
    if airflows is None or airflows.dialect.name == "sqlite" or not isinstance(airflows.pool, QueuePool):
        return None
    _own[:] = [(airflows, Engine(airflows.pool.recreate(), airflows.dialect, airflows.url))]
    return _own[0][1]


def _after_fork() -> None:
    """Connections are the parent's."""
    for _, ours in _own:
        ours.dispose(close=False)


os.register_at_fork(after_in_child=_after_fork)


def dialect(session: Session) -> str:
    """`"sqlite"`, `"postgresql"` or `"mysql"`."""
    return session.get_bind().dialect.name


def url() -> str:
    """SQLAlchemy's URL of the database. Holds a password: never log it."""
    return str(airflow_settings.SQL_ALCHEMY_CONN)


def airflow_home() -> Path:
    """Airflow's home directory: what processes of one machine share."""
    return Path(os.path.expanduser(airflow_settings.AIRFLOW_HOME))


def encrypt(text: str) -> str:
    """`text` under the plane's Fernet key."""
    return str(get_fernet().encrypt(text.encode()).decode())


def decrypt(text: str) -> str:
    """Undo `encrypt`. Raises `cryptography.fernet.InvalidToken` when the key is another one."""
    return str(get_fernet().decrypt(text.encode()).decode())
