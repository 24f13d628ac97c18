"""The metadata database of one executor, and what it was asked to do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2


@dataclass(frozen=True)
class Asked:
    """What a database has done so far."""

    statements: int
    transactions: int
    connections: int


class Database:
    """One database of a running server. A context manager."""

    def __init__(self, server: Any) -> None:
        self.url = server.new_database()
        self._connection = psycopg2.connect(self.url.replace("postgresql+psycopg2", "postgresql"))
        self._connection.autocommit = True

    def __enter__(self) -> Database:
        self.rows("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def rows(self, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    def asked(self) -> Asked:
        """Statements, transactions and connections of this database so far."""
        statements = self.rows(
            "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
            " WHERE d.datname = current_database()"
        )[0][0]
        transactions, connections = self.rows(
            "SELECT xact_commit + xact_rollback, sessions FROM pg_stat_database WHERE datname = current_database()"
        )[0]
        return Asked(int(statements), int(transactions), int(connections))

    def statements(self, most: int = 40) -> list[tuple[int, float, str]]:
        """The statements asked most often: calls, milliseconds, text."""
        return [
            (int(calls), float(spent), " ".join(text.split()))
            for calls, spent, text in self.rows(
                "SELECT calls, total_exec_time, query FROM pg_stat_statements s"
                " JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database()"
                " ORDER BY calls DESC LIMIT %s",
                (most,),
            )
        ]

    @contextmanager
    def hearing(self, channel: str) -> Iterator[list[tuple[float, str]]]:
        """What is announced on a channel meanwhile: when it was heard (seconds since 1970), and what. Inside a loop."""
        heard: list[tuple[float, str]] = []
        connection = psycopg2.connect(self._connection.dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'LISTEN "{channel}"')

        def listen() -> None:
            connection.poll()
            while connection.notifies:
                heard.append((time.time(), connection.notifies.pop(0).payload))

        loop = asyncio.get_running_loop()
        loop.add_reader(connection.fileno(), listen)
        try:
            yield heard
        finally:
            loop.remove_reader(connection.fileno())
            connection.close()

    def forget(self) -> None:
        self.rows("SELECT pg_stat_statements_reset()")

    def queued_at(self, dag_id: str) -> Mapping[tuple[str, str, int], float]:
        """When the scheduler queued each task instance (seconds since 1970), by run, task and map index."""
        return {
            (run, task, index): moment.timestamp()
            for run, task, index, moment in self.rows(
                "SELECT run_id, task_id, map_index, queued_dttm FROM task_instance"
                " WHERE dag_id = %s AND queued_dttm IS NOT NULL",
                (dag_id,),
            )
        }
