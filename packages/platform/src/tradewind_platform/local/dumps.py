"""Dumps of a Deployment's PostgreSQL database, by PostgreSQL's own programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from tradewind_platform.local.databases import Databases
from tradewind_platform.reconciler.driver import Document, StepFailed

_PIECE: Final = 1 << 20
_ELSEWHERE: Final = Path("/usr/lib/postgresql")


def dumped(databases: Databases, document: Document) -> Iterator[bytes]:
    """`pg_dump -Fc`, piece by piece. Raises StepFailed."""
    with _connecting(databases, document) as (options, env):
        command = [_program("pg_dump"), "--format=custom", "--no-owner", "--no-privileges", *options]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert running.stdout is not None and running.stderr is not None
            while piece := running.stdout.read(_PIECE):
                yield piece
            said = running.stderr.read()
    if running.returncode != 0:
        raise StepFailed(f"pg_dump: {_last(said)}")


def verify(pieces: Iterator[bytes]) -> None:
    """`pg_restore -l` reads its table of contents, with the tables of Airflow's migrations. Raises StepFailed."""
    listed = _fed([_program("pg_restore"), "--list"], pieces, dict(os.environ))
    if b"TABLE DATA public alembic_version" not in listed:
        raise StepFailed("the dump has no table alembic_version")


def load(databases: Databases, document: Document, pieces: Iterator[bytes]) -> None:
    """Replace the database by a dump. Raises StepFailed."""
    databases.replace(document.slug, document.secrets["database_password"])
    with _connecting(databases, document) as (options, env):
        command = [_program("pg_restore"), "--no-owner", "--no-privileges", "--exit-on-error", *options]
        _fed(command, pieces, env)


def heads_of(databases: Databases, document: Document) -> dict[str, str]:
    """The revision of each chain of migrations. Raises StepFailed."""
    engine = create_engine(databases.url(document.slug, document.secrets["database_password"]))
    try:
        with engine.connect() as connection:
            tables = connection.scalars(
                text("SELECT tablename FROM pg_tables WHERE tablename LIKE '%alembic_version'")
            ).all()
            return {
                str(table): str(connection.scalar(text(f'SELECT version_num FROM "{table}"')))
                for table in tables
            }
    except SQLAlchemyError as error:
        raise StepFailed(f"the database does not answer: {type(error).__name__}") from None
    finally:
        engine.dispose()


@contextmanager
def _connecting(databases: Databases, document: Document) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Options and environment of a program that connects as the Deployment's role. The password is in a file of this moment."""
    url: URL = databases.url(document.slug, document.secrets["database_password"])
    host, port = str(url.query.get("host") or url.host or ""), str(url.port or 5432)
    password = str(url.password).replace("\\", "\\\\").replace(":", "\\:")
    with tempfile.NamedTemporaryFile("w", prefix="pgpass") as file:  # 0600 from its beginning
        file.write(f"*:*:*:*:{password}\n")
        file.flush()
        kept: dict[str, Any] = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        options = ["--host", host, "--port", port, "--username", str(url.username)]
        yield [*options, "--no-password", "--dbname", str(url.database)], {**kept, "PGPASSFILE": file.name}


def _fed(command: list[str], pieces: Iterator[bytes], env: dict[str, str]) -> bytes:
    """What a program prints that reads the pieces. Raises StepFailed when it fails."""
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
        with subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=printed, stderr=said
        ) as running:
            assert running.stdin is not None
            broken = False
            for piece in pieces:  # to the end in any case: its last piece is what says that it is whole
                if not broken:
                    try:
                        running.stdin.write(piece)
                    except BrokenPipeError:
                        broken = True  # it has read what it needs, or its exit code says why not
            try:
                running.stdin.close()
            except BrokenPipeError:
                pass
        said.seek(0)
        printed.seek(0)
        if running.returncode != 0:
            raise StepFailed(f"{Path(command[0]).name}: {_last(said.read())}")
        return printed.read()


def _last(said: bytes) -> str:
    return (said.decode(errors="replace").strip().splitlines() or ["no output"])[-1][:500]


def _program(name: str) -> str:
    """The newest one there is. Raises StepFailed."""
    found = sorted(_ELSEWHERE.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    program = str(found[-1]) if found else shutil.which(name)
    if program is None:
        raise StepFailed(
            f"{name} is not installed on the platform's machine: Debian has it in postgresql-client",
            final=True,
        )
    return program
