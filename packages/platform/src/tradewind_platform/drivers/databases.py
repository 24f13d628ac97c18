"""A database and a role of its own for each Deployment, on a PostgreSQL that is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg2  # type: ignore[import-untyped]
from psycopg2 import sql
from psycopg2.extensions import (  # type: ignore[import-untyped]
    ISOLATION_LEVEL_AUTOCOMMIT,
    connection,
    encrypt_password,
)
from sqlalchemy.engine import URL, Connection, make_url

from tradewind_platform.drivers.away import Away
from tradewind_platform.drivers.deployment_databases import connected
from tradewind_platform.reconciler.driver import StepFailed


class Databases:
    """Named for the Deployment's slug. Only its role may connect to a database. The role of the URL needs CREATEDB and
    CREATEROLE."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)

    def ensure(self, slug: str, password: str) -> None:
        """Make role and database, or what of them is missing. Raises StepFailed."""
        with self._connected() as db, db.cursor() as cursor:
            # The server is sent a verifier, so that no log of statements has the password.
            verifier = encrypt_password(password, slug, db, "scram-sha-256")
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (slug,))
            # Only a superuser may name that attribute of a role that is there, even to leave it as it is.
            statement = (
                "ALTER ROLE {} LOGIN PASSWORD {}"
                if cursor.fetchone()
                else "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}"
            )
            cursor.execute(sql.SQL(statement).format(sql.Identifier(slug), sql.Literal(verifier)))
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (slug,))
            if cursor.fetchone() is None:
                # A role that is no superuser makes databases for roles that it is a member of.
                cursor.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(slug)))
                cursor.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(slug), sql.Identifier(slug))
                )
            cursor.execute(
                sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(sql.Identifier(slug))
            )

    def erase(self, slug: str) -> None:
        """The end of database and role. Raises StepFailed."""
        with self._connected() as db, db.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(slug)))
            cursor.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(slug)))

    def replace(self, slug: str, password: str) -> None:
        """An empty database in the place of the one that is there. Raises StepFailed."""
        with self._connected() as db, db.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(slug)))
        self.ensure(slug, password)

    def url(self, slug: str, password: str) -> URL:
        """What the Deployment connects to."""
        return self._url.set(
            drivername="postgresql+psycopg2", username=slug, password=password, database=slug
        )

    def server_version(self) -> int:
        """The major version of the server. Raises StepFailed."""
        with self._connected() as db:
            return int(db.server_version) // 10000

    def opened(self, slug: str, password: str) -> AbstractContextManager[Connection]:
        """A connection to a database as its own role, in a transaction that is committed at the end. Raises StepFailed,
        and Away when the server does not answer."""
        return connected(self.url(slug, password))

    @contextmanager
    def _connected(self) -> Iterator[connection]:
        url = self._url
        try:
            made = psycopg2.connect(
                host=url.query.get("host") or url.host,
                port=url.port,
                user=url.username,
                password=url.password,
                dbname=url.database,
                connect_timeout=10,
            )
        except psycopg2.OperationalError as error:
            raise Away(f"the PostgreSQL for Deployments cannot be reached: {str(error).strip()}") from None
        made.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        try:
            yield made
        except psycopg2.OperationalError as error:
            why = error.diag.message_primary or type(error).__name__
            raise Away(f"the PostgreSQL for Deployments does not answer: {why}") from None
        except psycopg2.Error as error:
            raise StepFailed(
                f"PostgreSQL refuses: {error.diag.message_primary or type(error).__name__}"
            ) from None
        finally:
            made.close()
