"""Whether rows that the attacker may not change are what they were."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from airflow import settings as airflow_settings
from sqlalchemy import CursorResult, Engine, Table, select

from tradewind_provider.airflow.database import create_session
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.manager import TradewindDBManager  # noqa: F401  # fills the MetaData
from tradewind_provider.store.tables import AgentSession, AgentToken, Attempt

from .sites import VICTIM, Site


class Commits:
    """Whether anything was committed to the database since the last look.

    SQLite counts the commits of other connections for a connection that writes nothing itself (PRAGMA data_version).
    """

    def __init__(self) -> None:
        engine = _engine()
        self._watch = (
            sqlite3.connect(str(engine.url.database), check_same_thread=False)
            if engine.dialect.name == "sqlite"
            else None
        )
        self._seen: int | None = None

    def since_last_look(self) -> bool:
        """True also at the first look, and always where the database is not SQLite."""
        if self._watch is None:
            return True
        (version,) = self._watch.execute("PRAGMA data_version").fetchone()
        before, self._seen = self._seen, version
        return bool(before != version)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()


def airflow_table(name: str) -> Table:
    from airflow.models.base import Base as AirflowBase

    return AirflowBase.metadata.tables[name]


_MOVING: Final = frozenset(
    {
        "last_beat_at",
        "room",
        "address",
        "last_used_at",
        "updated_at",
        "last_heartbeat_at",
        "noted_state",
        "missing_since",
        "offered_until",
    }
)
"""Columns that the victim's own life changes."""


class Fingerprints:
    """A digest of every row that no agent of the attacker's site may change or add to.

    What each attempt is followed by is written as the database's own SQL once, and its values are compared as the driver reads
    them: both sites have their attempts by then.
    """

    def __init__(self, victim: Site, attacker: Site) -> None:
        foreign = [victim.dag, "plane_dag"]
        mine = [attacker.bundle, "attackers"]
        own = [UUID(one.partition(":")[0]) for one in attacker.attempts.values()]
        assert own
        wanted: list[tuple[str, Any]] = [
            (name, airflow_table(name).c.dag_id.in_(foreign)) for name in ("task_instance", "dag_run", "xcom", "dag_version", "serialized_dag", "rendered_task_instance_fields")
        ]  # fmt: skip
        wanted += [(name, None) for name in ("variable", "connection", "slot_pool")]
        wanted.append(("dag_bundle", airflow_table("dag_bundle").c.name.not_in(mine)))
        wanted.append(("dag", airflow_table("dag").c.dag_id.in_(foreign)))
        wanted.append(("trigger", airflow_table("trigger").c.id == victim.trigger_id))
        wanted.append(("asset", airflow_table("asset").c.name == victim.asset))
        self._queries = {
            **{name: _query(airflow_table(name), where) for name, where in wanted if name in _tables()},
            "tokens": _query(AgentToken.__table__, None),
            "victim's session": _query(AgentSession.__table__, AgentSession.site == VICTIM),
            "victim's attempts": _query(Attempt.__table__, Attempt.site == VICTIM),
            "attempts of its own": _query(Attempt.__table__, Attempt.id.in_(own)),
            "bundles of sites": _query(DagBundle.__table__, DagBundle.name.not_in(mine)),
        }

    def take(self) -> dict[str, str]:
        """By what the rows are."""
        with _engine().connect() as db:
            return {name: _digest(db.exec_driver_sql(query)) for name, query in self._queries.items()}


def _engine() -> Engine:
    assert airflow_settings.engine is not None
    return airflow_settings.engine


def _tables() -> Mapping[str, Any]:
    from airflow.models.base import Base as AirflowBase

    return AirflowBase.metadata.tables


def _query(table: Any, where: Any) -> str:
    columns = [column for column in table.c if column.name not in _MOVING]
    statement = select(*columns) if where is None else select(*columns).where(where)
    return str(statement.compile(_engine(), compile_kwargs={"literal_binds": True}))


def _digest(found: CursorResult[Any]) -> str:
    rows = sorted(repr([bytes(one) if isinstance(one, memoryview) else one for one in row]) for row in found)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def session_rows(site: Site) -> int:
    """Characters of the largest live session of a site in its table."""
    with create_session() as db:
        rows = db.execute(
            select(AgentSession.__table__).where(
                AgentSession.site == site.name, AgentSession.ended_at.is_(None)
            )
        )
        return max((len(repr(tuple(row))) for row in rows), default=0)
