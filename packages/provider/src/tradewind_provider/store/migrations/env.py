"""What Alembic runs: our tables in Airflow's database, with a version table of our own."""

from __future__ import annotations

from typing import Any

from airflow import settings
from alembic import context

from tradewind_provider.store.manager import TradewindDBManager

_TABLES = TradewindDBManager.metadata
_OPTIONS: dict[str, Any] = {
    "target_metadata": _TABLES,
    "compare_type": True,
    "render_as_batch": True,
    "version_table": TradewindDBManager.version_table_name,
    "include_name": lambda name, kind, _: kind != "table" or name in _TABLES.tables,
}


def offline() -> None:
    """Print the SQL instead of running it."""
    context.configure(url=settings.SQL_ALCHEMY_CONN, literal_binds=True, **_OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


def online() -> None:
    """Run on the connection we are given, else on Airflow's engine."""
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _migrate(connection)
        return
    with settings.engine.connect() as connection:
        _migrate(connection)


def _migrate(connection: Any) -> None:
    context.configure(connection=connection, transaction_per_migration=True, **_OPTIONS)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    offline()
else:
    online()
