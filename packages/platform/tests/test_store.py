"""The tables: what a session of one organization sees, migrations, and the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session, aliased

from support.platform_parts import NOW, new_organization
from tradewind_platform.store.base import Base, Scoped
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.sessions import Store, Unscoped
from tradewind_platform.store.tables import EncryptionKey, Workspace


def workspace(name: str, **more: Any) -> Workspace:
    return Workspace(name=name, created_at=NOW, created_by="ada", updated_at=NOW, updated_by="ada", **more)


@pytest.fixture
def two(store: Store) -> tuple[UUID, UUID]:
    """Two organizations with a workspace each."""
    found = new_organization(store, "acme"), new_organization(store, "globex")
    for organization, name in zip(found, ("ours", "theirs"), strict=True):
        with store.transaction(organization) as db:
            db.add(workspace(name))
    return found


READS: dict[str, Callable[[Session], list[Any]]] = {
    "rows": lambda db: [one.name for one in db.scalars(select(Workspace))],
    "a column": lambda db: list(db.scalars(select(Workspace.name))),
    "an alias": lambda db: list(db.scalars(select(aliased(Workspace).name))),
    "a subquery": lambda db: list(
        db.scalars(select(Workspace.name).where(Workspace.id.in_(select(Workspace.id))))
    ),
    "a join": lambda db: (
        list(
            db.scalars(
                select((other := aliased(Workspace)).name).join_from(
                    Workspace, other, other.id != Workspace.id
                )
            )
        )
        or ["ours"]
    ),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_session_reads_the_rows_of_its_organization_only(
    store: Store, two: tuple[UUID, UUID], read: Callable[[Session], list[Any]]
) -> None:
    with store.reading(two[0]) as db:
        assert read(db) == ["ours"]


def test_a_count_is_of_the_organization(store: Store, two: tuple[UUID, UUID]) -> None:
    with store.reading(two[0]) as db:
        assert db.scalar(select(func.count()).select_from(Workspace)) == 1


def test_an_id_of_another_organization_finds_nothing(store: Store, two: tuple[UUID, UUID]) -> None:
    with store.reading(two[1]) as db:
        theirs = db.scalar(select(Workspace.id))
    with store.reading(two[0]) as db:
        assert db.get(Workspace, theirs) is None


def test_a_change_touches_the_organization_only(store: Store, two: tuple[UUID, UUID]) -> None:
    with store.transaction(two[0]) as db:
        db.execute(update(Workspace).values(description="changed"))
        db.execute(delete(Workspace))
    with store.across_organizations() as db:
        assert [(one.name, one.description) for one in db.scalars(select(Workspace))] == [("theirs", "")]


def test_a_query_without_an_organization_fails(store: Store) -> None:
    sessions: Any = store._sessions
    with sessions() as db, pytest.raises(Unscoped, match="a query of a session without an organization"):
        db.scalars(select(Workspace))


@pytest.mark.parametrize(
    "statement",
    [text("SELECT name FROM workspace"), select(Workspace.__table__), insert(Workspace).values(name="x")],
    ids=["text", "table", "insert"],
)
def test_a_statement_that_cannot_be_narrowed_is_refused(
    store: Store, two: tuple[UUID, UUID], statement: Any
) -> None:
    with store.transaction(two[0]) as db, pytest.raises(Unscoped):
        db.execute(statement)


def test_a_row_of_another_organization_is_not_written(store: Store, two: tuple[UUID, UUID]) -> None:
    with pytest.raises(Unscoped, match="belongs to another organization"):
        with store.transaction(two[0]) as db:
            db.add(workspace("smuggled", organization_id=two[1]))


def test_a_session_that_reads_changes_nothing(store: Store, two: tuple[UUID, UUID]) -> None:
    with pytest.raises(Unscoped, match="only reads"):
        with store.reading(two[0]) as db:
            db.add(workspace("third"))


def test_every_table_but_that_of_keys_has_an_organization() -> None:
    assert {one.class_ for one in Base.registry.mappers if not issubclass(one.class_, Scoped)} == {
        EncryptionKey
    }
    assert all(
        "organization_id" in table.c
        for name, table in Base.metadata.tables.items()
        if name != "encryption_key"
    )


def test_the_migrations_make_the_tables(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_migration_twice_changes_nothing(store: Store, two: tuple[UUID, UUID]) -> None:
    migrate(store.engine)
    with store.reading(two[0]) as db:
        assert db.scalar(select(Workspace.name)) == "ours"


def test_a_moment_without_a_time_zone_is_refused(store: Store, organization: UUID) -> None:
    with pytest.raises(Exception, match="has no time zone"):
        with store.transaction(organization) as db:
            db.add(
                Workspace(
                    name="x", created_at=datetime(2026, 1, 1), created_by="", updated_at=NOW, updated_by=""
                )
            )
