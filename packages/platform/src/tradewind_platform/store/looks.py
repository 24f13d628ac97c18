"""Queries that are asked every few seconds, although nearly always nothing has changed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Engine, Select


class Look:
    """A query without parameters, made into the database's own SQL once.

    It reads columns of all rows, and its values are the driver's, to be compared and not to be worked with. SQLAlchemy's part in
    each execution touches a thousand pages of memory, and an idle process has to fetch each of them anew.
    """

    def __init__(self, engine: Engine, statement: Select[Any]) -> None:
        self._engine = engine
        self._text = _text_of(statement, engine.dialect)

    def rows(self) -> list[tuple[Any, ...]]:
        """What the database answers now. Raises what the driver raises."""
        connection = self._engine.raw_connection()
        try:
            cursor = connection.cursor()
            try:
                cursor.execute(self._text)
                return [tuple(row) for row in cursor.fetchall()]
            finally:
                cursor.close()
        finally:
            connection.close()  # back to the pool, which ends the transaction


@lru_cache(maxsize=8)
def _text_of(statement: Select[Any], dialect: Dialect) -> str:
    text = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    # Doubled for drivers that put values in by `%`; this one is given none.
    return text.replace("%%", "%") if dialect.paramstyle in ("format", "pyformat") else text
