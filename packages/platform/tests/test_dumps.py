"""Backups of databases of PostgreSQL: what they bring back, and that a damaged one takes no database away."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg2
import pytest

from support import postgresql
from tradewind_platform.drivers.backups import Backups
from tradewind_platform.drivers.databases import Databases
from tradewind_platform.drivers.dumps import Dumps, fits
from tradewind_platform.reconciler.driver import BackupFile, Document, StepFailed
from tradewind_platform.security import streams

SLUG = "d2345abc"


@pytest.fixture(scope="module")
def databases(server: postgresql.PostgreSQL) -> Databases:
    return Databases(server.new_database())


@pytest.fixture
def document(databases: Databases) -> Iterator[Document]:
    """A Deployment with a database that has a run."""
    made = Document(
        id=UUID(int=7),
        slug=SLUG,
        number=1,
        name="sales",
        revision=2,
        spec={"version": "3.3.2"},
        before={"version": "3.3.0"},
        agent_url="https://agents.example.com/d2345abc",
        people_url="https://d2345abc.example.com",
        secrets={"database_password": "a:b\\c", "fernet": "canary-fernet"},
        backup=BackupFile(UUID(int=9), base64.b64encode(streams.new_key()).decode()),
    )
    databases.ensure(SLUG, made.secrets["database_password"])
    run(databases, made, "CREATE TABLE alembic_version (version_num text)")
    run(databases, made, "INSERT INTO alembic_version VALUES ('abc')")
    run(databases, made, "CREATE TABLE dag_run (run_id text)")
    run(databases, made, "INSERT INTO dag_run VALUES ('canary-first')")
    yield made
    databases.erase(SLUG)


def run(databases: Databases, document: Document, statement: str) -> Any:
    url = databases.url(SLUG, document.secrets["database_password"])
    with psycopg2.connect(
        host=url.query.get("host") or url.host,
        port=url.port,
        user=url.username,
        password=url.password,
        dbname=url.database,
    ) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            found = cursor.fetchall() if cursor.description else None
    connection.close()
    return found


@pytest.mark.postgresql
def test_a_backup_brings_back_what_was_there_and_is_encrypted(
    databases: Databases, document: Document, tmp_path: Path
) -> None:
    backups = Backups(tmp_path, Dumps(databases))
    free, size = backups.room(document)
    assert free > 0 and size > 0
    facts = backups.make(document)["backup"]
    assert facts["heads"] == {"alembic_version": "abc"}
    assert (facts["database"], facts["version"]) == ("postgresql", "3.3.0")
    [file] = (tmp_path / SLUG).iterdir()
    assert b"canary" not in file.read_bytes() and file.stat().st_mode & 0o077 == 0

    run(databases, document, "INSERT INTO dag_run VALUES ('since')")
    run(databases, document, "DROP TABLE alembic_version")
    for _ in range(2):
        backups.restore(document)
        assert run(databases, document, "SELECT run_id FROM dag_run") == [("canary-first",)]
        assert run(databases, document, "SELECT version_num FROM alembic_version") == [("abc",)]


@pytest.mark.postgresql
def test_a_damaged_backup_takes_no_database_away(
    databases: Databases, document: Document, tmp_path: Path
) -> None:
    backups = Backups(tmp_path, Dumps(databases))
    backups.make(document)
    [file] = (tmp_path / SLUG).iterdir()
    written = bytearray(file.read_bytes())
    written[-1] ^= 1
    file.write_bytes(written)
    with pytest.raises(StepFailed, match="is damaged"):
        backups.restore(document)
    assert run(databases, document, "SELECT run_id FROM dag_run") == [("canary-first",)]


@pytest.mark.postgresql
def test_a_database_without_migrations_is_no_backup(
    databases: Databases, document: Document, tmp_path: Path
) -> None:
    run(databases, document, "DROP TABLE alembic_version")
    with pytest.raises(StepFailed, match="no table alembic_version"):
        Backups(tmp_path, Dumps(databases)).make(document)
    assert not list(tmp_path.rglob("*.backup"))


@pytest.mark.parametrize(
    ("program", "server", "fit"),
    [(15, 15, True), (16, 14, True), (15, 16, False), (17, 17, True), (18, 17, True), (17, 16, False)],
)
def test_programs_that_do_not_fit_the_server_are_not_used(program: int, server: int, fit: bool) -> None:
    """Those of 17 set `transaction_timeout`, which an older server refuses when a dump is restored."""
    assert fits(program, server) is fit
