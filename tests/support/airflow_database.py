"""The database of the Airflow that the tests' own process imports."""

from __future__ import annotations

import shutil
from pathlib import Path

from airflow import settings
from airflow.models import import_all_models
from airflow.utils import db
from sqlalchemy import Engine, inspect

from support import whole_run
from tradewind_provider.store.base import Base
from tradewind_provider.store.manager import TradewindDBManager  # noqa: F401  # fills the MetaData


def migrated() -> None:
    """Airflow's tables are there, and ours. Idempotent. On SQLite, one process of a run makes them, for three seconds of CPU, and
    the others take a copy."""
    engine = settings.engine
    assert engine is not None
    if inspect(engine).has_table("dag"):
        return
    if engine.dialect.name != "sqlite":
        _make(engine)
        return

    def make(copy: Path) -> None:
        _make(engine)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"VACUUM INTO '{copy}'")

    made = whole_run.made_once("migrated.db", make)
    if not inspect(engine).has_table("dag"):
        import_all_models()  # as whoever makes them does
        engine.dispose()
        assert engine.url.database is not None
        shutil.copyfile(made, engine.url.database)


def _make(engine: Engine) -> None:
    db.initdb()
    Base.metadata.create_all(engine)
