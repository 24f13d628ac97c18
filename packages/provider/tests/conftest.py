"""Which Airflow the provider's tests run in: one of their own, on SQLite, or on PostgreSQL when asked.

`TRADEWIND_TEST_POSTGRESQL` is the SQLAlchemy URL of an empty database; `TRADEWIND_TEST_DATABASE=postgresql` starts a
server for the tests. Airflow reads its environment at its first import, so this happens before any.
"""

from __future__ import annotations

import atexit
import os
import sys

if "airflow" not in sys.modules:
    _url = os.environ.get("TRADEWIND_TEST_POSTGRESQL")
    if _url is None and os.environ.get("TRADEWIND_TEST_DATABASE") == "postgresql":
        from tests.support.postgresql import running

        _server = running()
        _url = _server.__enter__().new_database()
        atexit.register(_server.__exit__, None, None, None)
    if _url is not None:
        os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = _url

import pytest

# made by the migrations, wanted by every scheduler; emptying teams would take the pools along on PostgreSQL
_KEPT = {"slot_pool", "team", "log_template", "alembic_version"}


@pytest.fixture(scope="session")
def database() -> None:
    """Airflow's tables and ours."""
    from support import airflow_database

    airflow_database.migrated()


@pytest.fixture(scope="module", autouse=True)
def nothing_left_by_other_modules() -> None:
    """Empty every table at the start of a test file, Airflow's and ours, so that what one file leaves never decides about another."""
    from airflow.models.base import Base
    from airflow.settings import engine
    from sqlalchemy import inspect

    from tradewind_provider.store.base import Base as Ours

    present = set(inspect(engine).get_table_names())
    if "task_instance" not in present:
        return  # not migrated yet: the first file that needs a database does that
    tables = [*Ours.metadata.sorted_tables, *Base.metadata.sorted_tables]
    names = [table.name for table in tables if table.name in present - _KEPT]
    names = [name for name in names if not name.startswith("ab_")]
    # SQLite ignores this PRAGMA inside a transaction, so each statement is one of its own.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"TRUNCATE {', '.join(names)} CASCADE")
            return
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        for name in names:
            connection.exec_driver_sql(f"DELETE FROM {name}")
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
