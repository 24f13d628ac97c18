"""Sessions of one organization: each query gets its condition, and one without an organization fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import ORMExecuteState, Session, sessionmaker, with_loader_criteria

from tradewind_platform.store import access_changes
from tradewind_platform.store.base import Scoped

_SCOPE: Final = "organization"
_ALL: Final = "all"


class Unscoped(RuntimeError):
    """A query or a change that does not belong to the session's organization. A fault of the program."""


class Store:
    """The database of the platform."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = sessionmaker(engine, class_=_PlatformSession, expire_on_commit=False)
        self._listeners: list[Callable[[UUID], None]] = []

    @property
    def look_every(self) -> float:
        """At most so many seconds are between two looks for operations that another process may have begun. On SQLite none does: the one
        process there notifies itself."""
        return 60.0 if self.engine.dialect.name == "sqlite" else 1.0

    def on_access_change(self, listener: Callable[[UUID], None]) -> None:
        """Call `listener` with the organization after each commit of this process that may have changed who has which role."""
        self._listeners.append(listener)

    @contextmanager
    def transaction(self, organization: UUID) -> Iterator[Session]:
        """A transaction of one organization: committed at the end, rolled back by any exception."""
        with self._begun(organization) as db:
            yield db

    @contextmanager
    def reading(self, organization: UUID) -> Iterator[Session]:
        """A transaction that reads: it waits for no writer on SQLite either, and a change in it raises Unscoped."""
        with self._begun(organization, writes=False) as db:
            yield db

    @contextmanager
    def across_organizations(self) -> Iterator[Session]:
        """A transaction over all rows: to find whose a token is, to reconcile, to rotate keys. No request gets it."""
        with self._begun(_ALL) as db:
            yield db

    @contextmanager
    def reading_all(self) -> Iterator[Session]:
        """As `across_organizations`, for one that reads."""
        with self._begun(_ALL, writes=False) as db:
            yield db

    @contextmanager
    def looking(self) -> Iterator[Connection]:
        """A transaction that reads columns of all rows, without a session's cost: for what is asked again and again."""
        with self.engine.connect() as db:
            yield db.execution_options(tradewind_writes=False)

    def require_database(self) -> None:
        """Raises OperationalError when the database does not answer."""
        with self.looking() as db:
            db.execute(select(1))

    @contextmanager
    def _begun(self, scope: UUID | str, *, writes: bool = True) -> Iterator[Session]:
        info = {_SCOPE: scope, "writes": writes, "committed": self._committed}
        with self._sessions(info=info) as db, db.begin():
            db.connection(execution_options={"tradewind_writes": writes})
            yield db

    def _committed(self, organization: UUID) -> None:
        for listener in self._listeners:
            listener(organization)


class _PlatformSession(Session):
    """A session whose statements are checked, and whose changes of access are counted."""


access_changes.install(_PlatformSession)


@event.listens_for(_PlatformSession, "do_orm_execute")
def _add_the_organization(state: ORMExecuteState) -> None:
    scope = state.session.info.get(_SCOPE)
    if scope is None:
        raise Unscoped("a query of a session without an organization; use Store.transaction or Store.reading")
    if scope == _ALL:
        return
    if not state.is_orm_statement or state.is_insert:
        raise Unscoped(
            "a session of one organization runs statements over mapped classes only, and adds rows with add()"
        )
    if not (state.is_column_load or state.is_relationship_load):
        state.statement = state.statement.options(
            with_loader_criteria(Scoped, _of(scope), include_aliases=True, propagate_to_loaders=False)
        )


def _of(organization: UUID) -> Any:
    return lambda cls: cls.organization_id == organization


@event.listens_for(_PlatformSession, "before_flush")
def _check_the_organization(session: Session, *_: Any) -> None:
    scope = session.info.get(_SCOPE)
    if scope is None or not session.info.get("writes"):
        raise Unscoped("a change in a session that only reads")
    for row in (*session.new, *session.dirty, *session.deleted):
        if not isinstance(row, Scoped):
            if scope != _ALL:
                raise Unscoped(f"a row of {type(row).__name__} belongs to no organization")
            continue
        if scope != _ALL and row.organization_id is None:
            row.organization_id = scope
        if row.organization_id is None or (scope != _ALL and row.organization_id != scope):
            raise Unscoped(f"a row of {type(row).__name__} belongs to another organization, or to none")


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql+psycopg2://…`. Writers on SQLite wait for each other, readers for none."""
    found = make_url(url)
    if found.get_backend_name() != "sqlite":
        return create_engine(found, pool_pre_ping=True)
    engine = create_engine(found, connect_args={"timeout": 30})

    # As SQLAlchemy documents for pysqlite: the driver begins nothing by itself, we do.
    @event.listens_for(engine, "connect")
    def _opened(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("tradewind_writes", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
