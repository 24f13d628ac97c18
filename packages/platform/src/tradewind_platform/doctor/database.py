"""The platform's database and its keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyProblem, KeyRing
from tradewind_platform.store.migration import newest
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import ENCRYPTED
from tradewind_protocol.checks import Result, failed, ok

_START = "`tradewind platform run` of this version migrates it when it starts."


def database(engine: Engine) -> Result:
    """It answers, is whole, and has the tables of this version."""
    name = "database"
    where = engine.url.render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                found = connection.scalar(text("PRAGMA quick_check(1)"))
                if found != "ok":
                    return failed(name, f"{where} is damaged: {found}", "Restore a backup of the platform.")
            if not inspect(connection).has_table("alembic_version"):
                return failed(name, f"{where} has no tables of a platform", _START)
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or type(error).__name__).strip().splitlines()[0]
        return failed(
            name, f"{where} does not answer: {cause}", "Start the database, or correct --database-url-file."
        )
    if found != newest():
        return failed(name, f"{where} has the migration {found}, and this version needs {newest()}", _START)
    return ok(name, f"{where}, migration {found}")


def keys(store: Store, key_file: Path) -> Iterator[Result]:
    """Each encrypted value opens with a key of the file."""
    name = "keys"
    remedy = "Put the file of keys back that the database was used with: no other one opens these values."
    try:
        ring = KeyRing(key_file)
    except KeyProblem as problem:
        yield failed(name, str(problem), remedy)
        return
    opened, broken = 0, Counter[str]()
    with store.reading_all() as db:
        for table, column in ENCRYPTED:
            for id, stored in db.execute(select(table.id, getattr(table, column))):
                try:
                    ring.decrypt(stored, row=row_of(table, id, column))
                    opened += 1
                except KeyProblem:
                    broken[table.__tablename__] += 1
    if broken:
        tables = ", ".join(f"{count} of {table}" for table, count in sorted(broken.items()))
        yield failed(name, f"{tables} do not open with the keys of {key_file}", remedy)
    else:
        yield ok(name, f"{opened} values open with {len(ring.ids)} keys")
    if (mode := key_file.stat().st_mode & 0o077) != 0:
        yield failed(
            "key file", f"{key_file} can be read by others (mode {mode:03o})", f"chmod 600 {key_file}"
        )
