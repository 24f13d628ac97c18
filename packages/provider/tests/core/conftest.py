"""A plane without web server or scheduler: real tables, a clock that stands still until told, agents over ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import delete

from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import tokens
from tradewind_provider.settings import Settings
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.manager import TradewindDBManager  # noqa: F401  # fills the MetaData
from tradewind_provider.store.tables import (
    AgentCommand,
    AgentSession,
    AgentToken,
    Attempt,
    CanaryRow,
    Event,
    FormerTokenValue,
    RefusedTry,
    SentinelRow,
    Setting,
)

from .scenes import SETTINGS, Clock, Plane, running


@pytest.fixture(autouse=True)
def _empty(database: None) -> Iterator[None]:
    with create_session() as db:
        for table in (
            DagBundle,
            Attempt,
            CanaryRow,
            AgentCommand,
            AgentSession,
            AgentToken,
            FormerTokenValue,
            RefusedTry,
            SentinelRow,
            Setting,
            Event,
        ):
            db.execute(delete(table))
    yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> Settings:
    return SETTINGS


@pytest.fixture
def secret(clock: Clock) -> str:
    """An agent token."""
    with create_session() as db:
        made = tokens.create(db, name="ci", expires_in_days=None, created_by="ada", now=clock(), limit=50)
    return made.secret


@pytest.fixture
async def plane(settings: Settings, clock: Clock, secret: str) -> AsyncIterator[Plane]:
    async with running(settings, clock, secret) as one:
        yield one
