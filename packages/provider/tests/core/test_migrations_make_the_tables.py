"""The sum of all migrations is what the classes say, on a database of its own; none that databases have had is changed."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from airflow import settings as airflow_settings
from airflow.providers_manager import ProvidersManager
from airflow.utils.db_manager import RunDBManager
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, inspect, text

from tradewind_provider.store.base import Base
from tradewind_provider.store.manager import TradewindDBManager

KEPT = {
    "0001_first_release.py": "64b59b704c5d2433",
    "0002_token_kinds.py": "24a86f0665dc2c6c",
    "0003_sentinels.py": "fbd2508789b209b3",
    "0004_private_endpoints.py": "2afffdfb665fe8a3",
    "0005_refused_tries.py": "bf6072755b84a569",
    "0006_canaries.py": "99d14c7c0c7d9a9d",
}
"""The beginning of each file's SHA-256. A new migration is added here; an old one stays as it is."""


@pytest.fixture
def empty(tmp_path: Path) -> Any:
    """An engine on a database nobody has used: a file, or a schema on the server the tests use."""
    engine = airflow_settings.engine
    assert engine is not None
    if engine.dialect.name == "sqlite":
        own = create_engine(f"sqlite:///{tmp_path}/empty.db")
        yield own
        own.dispose()
        return
    own = create_engine(engine.url, connect_args={"options": "-c search_path=migrated"})
    with own.begin() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS migrated CASCADE"))
        connection.execute(text("CREATE SCHEMA migrated"))
    yield own
    with own.begin() as connection:
        connection.execute(text("DROP SCHEMA migrated CASCADE"))
    own.dispose()


def config(connection: Any) -> Any:
    made = TradewindDBManager(None).get_alembic_config()
    made.attributes["connection"] = connection
    return made


def shape(engine: Engine) -> dict[str, Any]:
    """Every table of ours as the database describes it."""
    found: dict[str, Any] = {}
    look = inspect(engine)
    for name in sorted(look.get_table_names()):
        if not name.startswith("tradewind_") or name == TradewindDBManager.version_table_name:
            continue
        columns = {
            one["name"]: (str(one["type"]), one["nullable"], one["default"]) for one in look.get_columns(name)
        }
        unique = sorted(str(sorted(one["column_names"])) for one in look.get_unique_constraints(name))
        found[name] = (
            columns,
            look.get_pk_constraint(name)["constrained_columns"],
            unique,
            indexes(engine, name),
        )
    return found


def indexes(engine: Engine, table: str) -> dict[str, str]:
    """Index → its SQL; inspection alone leaves out expressions and conditions."""
    if engine.dialect.name == "sqlite":
        query = (
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = :t"
        )
    else:
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'migrated' AND tablename = :t"
    with engine.connect() as connection:
        return {name: " ".join(sql.split()) for name, sql in connection.execute(text(query), {"t": table})}


def test_a_migration_that_databases_have_had_is_not_changed() -> None:
    # a database that is past it would never get the change, and the upgrade would leave a column out
    folder = Path(TradewindDBManager.migration_dir) / "versions"
    found = {path.name: sha256(path.read_bytes()).hexdigest()[:16] for path in folder.glob("0*.py")}
    assert found == KEPT, "add a migration instead"


def test_migrations_and_classes_agree(empty: Engine) -> None:
    with empty.begin() as connection:
        command.upgrade(config(connection), "heads")
    migrated = shape(empty)
    with empty.begin() as connection:
        command.downgrade(config(connection), "base")
    assert shape(empty) == {}
    Base.metadata.create_all(empty)
    assert migrated == shape(empty)
    assert migrated.keys() == Base.metadata.tables.keys()


def test_there_is_one_chain_of_migrations() -> None:
    scripts: ScriptDirectory = TradewindDBManager(None).get_script_object()
    assert len(scripts.get_heads()) == 1
    assert set(TradewindDBManager.revision_heads_map.values()) == set(scripts.get_heads())


def test_airflow_finds_the_tables_by_itself() -> None:
    assert "tradewind_provider.store.manager.TradewindDBManager" in ProvidersManager().db_managers
    assert {"tradewind_attempt", "tradewind_session"} <= RunDBManager().get_required_table_names()


def test_no_table_takes_a_name_of_airflows() -> None:
    from airflow.models.base import metadata

    ours: MetaData = Base.metadata
    assert not ours.tables.keys() & metadata.tables.keys()
    assert all(name.startswith("tradewind_") for name in ours.tables)
