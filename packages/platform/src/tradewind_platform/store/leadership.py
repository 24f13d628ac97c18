"""Which of several platform processes on one database carries out operations: the one that holds a lock of the database."""

from __future__ import annotations

import logging
import threading
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

log = logging.getLogger(__name__)

LOCK: Final = 0x74776C64
"""The number of the advisory lock."""


class Leadership(Protocol):
    """Asked before each step."""

    def holds(self) -> bool:
        """Whether this process leads now. Tries to become the leader where none is."""

    def resign(self) -> None:
        """Let another process lead. Idempotent."""


class Alone:
    """The only process on its database: one on SQLite holds a lock of its home."""

    def holds(self) -> bool:
        return True

    def resign(self) -> None:
        """Nothing to let go of."""


class PostgresLeadership:
    """A session's advisory lock: PostgreSQL lets go of it when the connection ends, however the process did."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: Connection | None = None  # has the advisory lock

    def holds(self) -> bool:
        with self._lock:
            try:
                if self._connection is not None:
                    self._connection.execute(text("SELECT 1"))
                    return True
                return self._try()
            except SQLAlchemyError as error:
                log.warning(
                    "the database does not answer, so this process does not lead: %s",
                    type(error).__name__,
                    extra={"action": "leadership_lost"},
                )
                self._let_go()
                return False

    def resign(self) -> None:
        with self._lock:
            self._let_go()

    def _try(self) -> bool:
        made = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            won = bool(made.scalar(text(f"SELECT pg_try_advisory_lock({LOCK})")))
        except SQLAlchemyError:
            made.invalidate()
            made.close()
            raise
        if not won:
            made.close()
            return False
        log.info("this process leads", extra={"action": "leadership_won"})
        self._connection = made
        return True

    def _let_go(self) -> None:
        if self._connection is not None:
            # The lock is the session's: a connection that goes back to the pool would keep it.
            self._connection.invalidate()
            self._connection.close()
            self._connection = None


def leadership_of(engine: Engine) -> Leadership:
    """The one that fits the database."""
    return PostgresLeadership(engine) if engine.dialect.name == "postgresql" else Alone()
