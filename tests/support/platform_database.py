"""Databases of the platform with its tables. On SQLite, what all of them have in common is made once a process: the migrations,
of which each test gets a copy, and the statements that SQLAlchemy has compiled."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.util import LRUCache

from tradewind_platform.store.migration import migrate
from tradewind_platform.store.sessions import open_engine


def new_engine(url: str) -> Engine:
    """An engine for a database that did not exist, with its tables."""
    found = make_url(url)
    if found.get_backend_name() == "sqlite":
        assert found.database is not None
        first, migrated = _first()
        Path(found.database).write_bytes(migrated)
        engine = open_engine(url)
        # The dialect is a part of the key of a compiled statement, here and in the caches of the mappers.
        engine.dialect = first.dialect
        engine.update_execution_options(compiled_cache=_compiled())
        event.listen(engine, "connect", _wait_for_no_disk)
        return engine
    engine = open_engine(url)
    migrate(engine)
    return engine


def _wait_for_no_disk(connection: Any, _: Any) -> None:
    """What is written may be lost when the machine ends, and no test looks for it then."""
    connection.execute("PRAGMA synchronous = OFF")


@cache
def _compiled() -> LRUCache[Any, Any]:
    """As large as the caches of a few engines."""
    return LRUCache(5000)


@cache
def _first() -> tuple[Engine, bytes]:
    """An engine that has connected, and the file of its database."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "platform.db")
        engine = open_engine(f"sqlite:///{file}")
        migrate(engine)
        engine.dispose()
        return engine, file.read_bytes()
