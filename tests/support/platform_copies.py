"""Copies of installations in which a Deployment runs. To create one takes a hundred requests and statements, which most tests have in
common: a new installation that a test has left alone is given what another one came to by the same request."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, event

from support.fake_driver import FakeDriver
from tradewind_platform.security.key_ring import KeyRing


class Writes:
    """Counts the transactions of an engine that have written."""

    def __init__(self, engine: Engine) -> None:
        self.count = 0

        @event.listens_for(engine, "commit")
        def note(connection: Connection) -> None:
            self.count += connection.get_execution_options().get("tradewind_writes", True)


@dataclass(frozen=True)
class Copy:
    """An installation with a Deployment, and who its owner is."""

    deployment: dict[str, Any]
    database: bytes
    keys: bytes
    driver: FakeDriver
    organization: UUID
    owner_id: UUID
    authorization: str

    @classmethod
    def of(cls, installation: Any, deployment: dict[str, Any]) -> Copy:
        engine, ring = installation.platform.store.engine, installation.platform.ring
        copy = Path(engine.url.database).with_suffix(".copy")
        with closing(sqlite3.connect(engine.url.database)) as database:
            database.execute("VACUUM INTO ?", [str(copy)])
        with closing(sqlite3.connect(copy)) as database:
            database.execute(
                "PRAGMA journal_mode = WAL"
            )  # as the platform's is: it need not be changed again
        return cls(
            deepcopy(deployment),
            copy.read_bytes(),
            _keys(ring).read_bytes(),
            deepcopy(installation.driver),
            installation.organization,
            installation.owner_id,
            installation.owner.headers["Authorization"],
        )

    def give(self, installation: Any) -> dict[str, Any]:
        """To a new installation, in place of all that it has. Returns the Deployment."""
        engine, ring = installation.platform.store.engine, installation.platform.ring
        engine.dispose()
        file = Path(engine.url.database)
        for more in ("-wal", "-shm"):
            file.with_name(file.name + more).unlink(missing_ok=True)
        file.write_bytes(self.database)
        keys = _keys(ring).with_suffix(".copy")
        keys.touch(0o600)
        keys.write_bytes(self.keys)
        os.replace(keys, _keys(ring))
        _fill(installation.driver, self.driver)
        installation.organization, installation.owner_id = self.organization, self.owner_id
        installation.owner.headers["Authorization"] = self.authorization
        return deepcopy(self.deployment)


def _keys(ring: KeyRing) -> Path:
    return ring._file


def _fill(empty: Any, full: Any) -> None:
    """In place: a test may hold a part of it already."""
    for field in fields(full):
        here, there = getattr(empty, field.name), getattr(full, field.name)
        if is_dataclass(there):
            _fill(here, there)
        elif isinstance(there, dict):
            here.update(deepcopy(there))
        elif isinstance(there, list):
            here.extend(deepcopy(there))
        else:
            setattr(empty, field.name, there)
