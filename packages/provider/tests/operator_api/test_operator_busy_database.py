"""What people ask for while the database is busy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from airflow import settings
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from support.described import operations
from tradewind_provider.api.operator.app import create_app

from .conftest import NOW


class Busy:
    """A database that refuses the next statements about our tables."""

    def __init__(self) -> None:
        self.times = 0
        self.refused = 0

    def before(self, conn: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "tradewind_" in statement and self.refused < self.times:
            self.refused += 1
            raise OperationalError(statement, {}, sqlite3.OperationalError("database is locked"))


@pytest.fixture
def busy(rows: Any) -> Iterator[Busy]:
    one = Busy()
    event.listen(settings.engine, "before_cursor_execute", one.before)
    yield one
    event.remove(settings.engine, "before_cursor_execute", one.before)


def _verbs() -> list[tuple[str, str]]:
    return [
        (method, path.removeprefix("/v1"))
        for method, path in operations(create_app())
        if path not in ("/v1/me", "/v1/recipes")  # they ask the database nothing
    ]


_BODIES = {
    "/tokens": {"name": "eu"},
    "/tokens/{token_id}/rotate": {},
    "/allowed-addresses": {"networks": [{"network": "10.0.0.0/8"}], "force": True},
    "/site-access": {"site": "us", "other": "eu", "access": "read"},
    "/agents/{agent_id}/slots": {"environment": "default", "slots": 2},
}


@pytest.mark.parametrize(("method", "path"), _verbs())
async def test_every_verb_tries_again_when_the_database_is_busy(
    signed_in: Any, rows: Any, busy: Busy, method: str, path: str
) -> None:
    gone = (method, path) == ("DELETE", "/agents/{agent_id}")
    agent_id = rows.agent(**({"ended_at": NOW, "ended_how": "goodbye"} if gone else {}))
    asked = path.format(
        agent_id=agent_id,
        attempt_id=rows.attempt("running", session_id=None if gone else rows.session_of(agent_id)),
        token_id=rows.token("us"),
        name="etl/main",
        grant_id=uuid4(),
    )
    rows.bundle("etl/main")
    busy.times = 2
    answer = await signed_in("ada").request(
        method, asked, json=_BODIES.get(path, {}) if method in ("POST", "PUT") else None
    )
    assert answer.status_code < 300, answer.text
    assert busy.refused == 2


async def test_a_database_that_stays_busy_is_said_to_be_unavailable(
    signed_in: Any, rows: Any, busy: Busy
) -> None:
    busy.times = 1000
    answer = await signed_in("ada").get("/agents")
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
