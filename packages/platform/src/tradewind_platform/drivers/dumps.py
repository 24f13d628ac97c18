"""Dumps of a Deployment's PostgreSQL database, by PostgreSQL's own programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.engine import URL

from tradewind_platform.drivers.deployment_databases import DeploymentDatabases
from tradewind_platform.reconciler.driver import Document, StepFailed

_PIECE: Final = 1 << 20
_ELSEWHERE: Final = Path("/usr/lib/postgresql")
_SETS_MORE: Final = 17


class Dumps:
    """Copies of the databases of a PostgreSQL, made and read as the role of each Deployment."""

    kind: Final = "postgresql"

    def __init__(self, databases: DeploymentDatabases) -> None:
        self._databases = databases

    def ready(self) -> None:
        """The programs are there, and fit the server. Raises StepFailed."""
        server = self._databases.server_version()
        for name in ("pg_dump", "pg_restore"):
            program = _program(name, server)
            if not fits(version := _version(program), server):
                raise StepFailed(
                    f"{program} is of PostgreSQL {version}, which does not fit the server's {server}: install "
                    f"postgresql-client-{server}",
                    final=True,
                )

    @contextmanager
    def copied(self, document: Document) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """The revision of each chain of migrations, and `pg_dump -Fc` piece by piece. Raises StepFailed."""
        self.ready()
        yield self._heads(document), self._dumped(document)

    def verify(self, pieces: Iterator[bytes]) -> None:
        """`pg_restore -l` reads its table of contents, with the tables of Airflow's migrations. Raises StepFailed."""
        program = _program("pg_restore", self._databases.server_version())
        listed = _fed([program, "--list"], pieces, dict(os.environ))
        if b"TABLE DATA public alembic_version" not in listed:
            raise StepFailed("the dump has no table alembic_version")

    def replace(self, document: Document, pieces: Iterator[bytes]) -> None:
        """Replace the database by a dump. Raises StepFailed."""
        self.ready()  # before there is no database
        program = _program("pg_restore", self._databases.server_version())
        self._databases.replace(document.slug, document.secrets["database_password"])
        with self._connecting(document) as (options, env):
            command = [program, "--no-owner", "--no-privileges", "--exit-on-error", *options]
            _fed(command, pieces, env)

    def size(self, document: Document) -> int:
        """Bytes of the database. Raises StepFailed."""
        with self._databases.opened(document.slug, document.secrets["database_password"]) as connection:
            return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)

    def _dumped(self, document: Document) -> Iterator[bytes]:
        with self._connecting(document) as (options, env):
            program = _program("pg_dump", self._databases.server_version())
            command = [program, "--format=custom", "--no-owner", "--no-privileges", *options]
            with subprocess.Popen(
                command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as running:
                assert running.stdout is not None and running.stderr is not None
                while piece := running.stdout.read(_PIECE):
                    yield piece
                errors = running.stderr.read()
        if running.returncode != 0:
            raise StepFailed(f"pg_dump: {_last(errors)}")

    def _heads(self, document: Document) -> dict[str, str]:
        with self._databases.opened(document.slug, document.secrets["database_password"]) as connection:
            tables = connection.scalars(
                text("SELECT tablename FROM pg_tables WHERE tablename LIKE '%alembic_version'")
            ).all()
            return {
                str(table): str(connection.scalar(text(f'SELECT version_num FROM "{table}"')))
                for table in tables
            }

    @contextmanager
    def _connecting(self, document: Document) -> Iterator[tuple[list[str], dict[str, str]]]:
        """Options and environment of a program that connects as the Deployment's role. The password is in a file of this
        moment."""
        url: URL = self._databases.url(document.slug, document.secrets["database_password"])
        host, port = str(url.query.get("host") or url.host or ""), str(url.port or 5432)
        password = str(url.password).replace("\\", "\\\\").replace(":", "\\:")
        with tempfile.NamedTemporaryFile("w", prefix="pgpass") as file:  # 0600 from its beginning
            file.write(f"*:*:*:*:{password}\n")
            file.flush()
            kept: dict[str, Any] = {
                key: value for key, value in os.environ.items() if not key.startswith("PG")
            }
            options = ["--host", host, "--port", port, "--username", str(url.username)]
            yield (
                [*options, "--no-password", "--dbname", str(url.database)],
                {**kept, "PGPASSFILE": file.name},
            )


def _fed(command: list[str], pieces: Iterator[bytes], env: dict[str, str]) -> bytes:
    """What a program prints that reads the pieces. Raises StepFailed when it fails."""
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=printed, stderr=errors
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
        errors.seek(0)
        printed.seek(0)
        if running.returncode != 0:
            raise StepFailed(f"{Path(command[0]).name}: {_last(errors.read())}")
        return printed.read()


def _last(output: bytes) -> str:
    return (output.decode(errors="replace").strip().splitlines() or ["no output"])[-1][:500]


def _program(name: str, server: int) -> str:
    """That of the server's version, else the newest one there is. Raises StepFailed."""
    found = sorted(_ELSEWHERE.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    same = [path for path in found if path.parts[-3] == str(server)]
    program = str((same or found)[-1]) if found else shutil.which(name)
    if program is None:
        raise StepFailed(
            f"{name} is not installed where the driver runs: Debian has it in postgresql-client",
            final=True,
        )
    return program


def fits(program: int, server: int) -> bool:
    """Whether programs of one major version of PostgreSQL dump and restore a server of another. From 17 on they set a
    parameter that older servers refuse."""
    return program >= server and not (program >= _SETS_MORE > server)


def _version(program: str) -> int:
    printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) ([0-9]+)", printed)
    if found is None:
        raise StepFailed(f"{program} does not say its version", final=True)
    return int(found[1])
