"""The PostgreSQL with the databases of Deployments, as drivers use it. How roles and databases are made there differs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from tradewind_platform.drivers.away import Away
from tradewind_platform.reconciler.driver import StepFailed


class DeploymentDatabases(Protocol):
    """A database and a role for each Deployment, both named for its slug. Only the role may connect to the database.
    Each method is idempotent, and raises StepFailed, and Away for what may succeed a moment later."""

    def ensure(self, slug: str, password: str) -> None:
        """Make role and database, or what of them is missing."""

    def erase(self, slug: str) -> None:
        """The end of database and role. Nothing for what is not there."""

    def replace(self, slug: str, password: str) -> None:
        """An empty database in the place of the one that is there. Sessions of the Deployment end."""

    def url(self, slug: str, password: str) -> URL:
        """What the Deployment connects to."""

    def server_version(self) -> int:
        """The major version of the server."""

    def opened(self, slug: str, password: str) -> AbstractContextManager[Connection]:
        """A connection to a database as its own role, in a transaction that is committed at the end."""


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """A connection in a transaction that is committed at the end. Raises StepFailed, and Away when the server does not
    answer."""
    engine = create_engine(url, connect_args={"connect_timeout": 10})
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as error:
        raise Away(f"the database does not answer: {type(error).__name__}") from None
    except SQLAlchemyError as error:
        raise StepFailed(f"the database does not answer: {type(error).__name__}") from None
    finally:
        engine.dispose()
