"""Copies of installations in which a Deployment runs. To create one takes a hundred requests and statements, which most tests have in
common: a new installation that a test has left alone is given what another one came to by the same request."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, is_dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, event

from support.fake_driver import FakeDriver


class Writes:
    """Counts the transactions of an engine that have written."""

    def __init__(self, engine: Engine) -> None:
        self.count = 0

        @event.listens_for(engine, "commit")
        def note(connection: Connection) -> None:
            self.count += connection.get_execution_options().get("tradewind_writes", True)


@dataclass(frozen=True)
class Copy:
    """An installation with a Deployment: its database in memory, and what it has beside it."""

    deployment: dict[str, Any]
    database: sqlite3.Connection
    keys: Mapping[str, bytes]
    driver: FakeDriver
    organization: UUID
    owner_id: UUID
    authorization: str

    @classmethod
    def of(cls, installation: Any, deployment: dict[str, Any]) -> Copy:
        database = sqlite3.connect(":memory:", check_same_thread=False)
        with closing(_opened(installation)) as source:
            source.backup(database)
        return cls(
            deepcopy(deployment),
            database,
            dict(installation.platform.ring._keys),
            deepcopy(installation.driver),
            installation.organization,
            installation.owner_id,
            installation.owner.headers["Authorization"],
        )

    def give(self, installation: Any) -> dict[str, Any]:
        """To a new installation, in place of all that it has. Returns the Deployment."""
        with closing(_opened(installation)) as target:
            self.database.backup(target)
        installation.platform.ring._write(self.keys)
        _fill(installation.driver, deepcopy(self.driver))
        installation.organization, installation.owner_id = self.organization, self.owner_id
        installation.owner.headers["Authorization"] = self.authorization
        return deepcopy(self.deployment)


def _opened(installation: Any) -> sqlite3.Connection:
    """The file of the installation's database, beside its engine. What is written may be lost when the machine ends."""
    connection = sqlite3.connect(installation.platform.store.engine.url.database)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _fill(empty: Any, full: Any) -> None:
    """In place: a test may hold a part of it already."""
    for name, there in vars(full).items():
        here = getattr(empty, name)
        if is_dataclass(here):
            _fill(here, there)
        elif isinstance(here, dict):
            here.update(there)
        elif isinstance(here, list):
            here.extend(there)
        else:
            setattr(empty, name, there)
