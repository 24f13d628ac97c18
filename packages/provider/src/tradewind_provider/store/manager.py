"""How `airflow db migrate` finds our tables: a chain of migrations and a version table of our own."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Any

from airflow.utils.db_manager import BaseDBManager

from tradewind_provider import store
from tradewind_provider.store.base import Base

_HERE = Path(__file__).parent

for _module in pkgutil.iter_modules(store.__path__):
    if _module.name.endswith("tables"):  # importing them is what fills the MetaData
        importlib.import_module(f"{store.__name__}.{_module.name}")


class TradewindDBManager(BaseDBManager):
    """Named in `db-managers` of the provider's description; Airflow runs it with its own migrations."""

    metadata = Base.metadata
    version_table_name = "tradewind_alembic_version"
    migration_dir = (_HERE / "migrations").as_posix()
    alembic_file = (_HERE / "alembic.ini").as_posix()
    supports_table_dropping = True
    revision_heads_map = {"0.1.0": "0006"}

    def downgrade(
        self, to_revision: str, from_revision: str | None = None, show_sql_only: bool = False
    ) -> None:
        """Undo migrations down to `to_revision`; `"base"` drops all tables of ours."""
        from alembic import command

        config: Any = self.get_alembic_config()
        revision = f"{from_revision}:{to_revision}" if from_revision and show_sql_only else to_revision
        command.downgrade(config, revision=revision, sql=show_sql_only)
