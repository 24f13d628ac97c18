"""Databases of the platform with its tables. What all of them have in common is made once: the migrations, of which each test gets a
copy, by one process of a run on SQLite and by the first test of a PostgreSQL; and the statements that SQLAlchemy has compiled."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.util import LRUCache

from support import whole_run
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.sessions import open_engine

_TEMPLATE: Final = "platform_migrated"


def new_engine(url: str) -> Engine:
    """An engine for a database that did not exist, or was empty, with its tables."""
    found = make_url(url)
    if found.get_backend_name() == "sqlite":
        assert found.database is not None
        new_file(Path(found.database))
        engine = open_engine(url)
        # The dialect is a part of the key of a compiled statement, here and in the caches of the mappers.
        engine.dialect = _first().dialect
        engine.update_execution_options(compiled_cache=_compiled())
        event.listen(engine, "connect", _wait_for_no_disk)
        return engine
    _copy_on_server(found)
    return open_engine(url)


def new_file(place: Path) -> None:
    """Make a file of SQLite with the tables, for this user alone as the platform makes its own."""
    place.touch(0o600)
    shutil.copyfile(whole_run.made_once("platform.db", _migrate), place)


def _migrate(file: Path) -> None:
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()


def _copy_on_server(url: URL) -> None:
    assert url.database is not None
    server = create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as db:
        if not db.scalar(text("SELECT count(*) FROM pg_database WHERE datname = :name"), {"name": _TEMPLATE}):
            db.execute(text(f'CREATE DATABASE "{_TEMPLATE}"'))
            template = open_engine(url.set(database=_TEMPLATE).render_as_string(hide_password=False))
            migrate(template)
            template.dispose()
        db.execute(text(f'DROP DATABASE "{url.database}"'))
        db.execute(text(f'CREATE DATABASE "{url.database}" TEMPLATE "{_TEMPLATE}"'))
    server.dispose()


def _wait_for_no_disk(connection: Any, _: Any) -> None:
    """What is written may be lost when the machine ends, and no test looks for it then."""
    connection.execute("PRAGMA synchronous = OFF")


@cache
def _compiled() -> LRUCache[Any, Any]:
    """As large as the caches of a few engines."""
    return LRUCache(5000)


@cache
def _first() -> Engine:
    """An engine that has connected."""
    engine = open_engine("sqlite://")
    engine.connect().close()
    engine.dispose()
    return engine
