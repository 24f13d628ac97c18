"""Databases of the platform with its tables. The migrations run once a process on SQLite; each test gets a copy of what they made."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from tradewind_platform.store.migration import migrate
from tradewind_platform.store.sessions import open_engine


def new_engine(url: str) -> Engine:
    """An engine for a database that did not exist, with its tables."""
    found = make_url(url)
    if found.get_backend_name() == "sqlite":
        assert found.database is not None
        Path(found.database).write_bytes(_migrated())
        return open_engine(url)
    engine = open_engine(url)
    migrate(engine)
    return engine


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "platform.db")
        engine = open_engine(f"sqlite:///{file}")
        migrate(engine)
        engine.dispose()
        return file.read_bytes()
