"""Database work of a request: off the event loop, in one short transaction, again when the database was busy."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from tradewind_provider.airflow import database

log = logging.getLogger(__name__)

T = TypeVar("T")

_TRIES = 4
_FIRST_WAIT = 0.05
_AGAIN = ("40001", "40P01")  # PostgreSQL: serialization failure, deadlock
_LIMITER: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("tradewind_verbs")

THREADS = 8
"""Agents' verbs at once in one API server. A limit of their own, so that they and Airflow's UI do not starve each
other; a verb takes milliseconds."""


async def run(work: Callable[[Session], T]) -> T:
    """`work` in a transaction that commits when it returns, in a thread.

    When the database was busy, or another request inserted the same row first, the whole of `work` runs again, a few
    times: it must not change anything but the database.
    """
    return await anyio.to_thread.run_sync(in_transaction, work, limiter=_limiter())


def in_transaction(work: Callable[[Session], T]) -> T:
    """As `run`, in this thread."""
    for attempt in range(1, _TRIES + 1):
        try:
            with database.verb_session() as db:
                return work(db)
        except DBAPIError as error:
            if attempt == _TRIES or not _worth_another_try(error):
                raise
            log.debug(
                "Transaction failed; trying again: %s",
                type(error).__name__,
                extra={"action": "transaction_again"},
            )
            time.sleep(_FIRST_WAIT * 2**attempt * random.random())
    raise AssertionError("unreachable")


def _worth_another_try(error: DBAPIError) -> bool:
    if isinstance(error, (OperationalError, IntegrityError)):
        return True
    return getattr(error.orig, "pgcode", None) in _AGAIN


def _limiter() -> anyio.CapacityLimiter:
    """That of this event loop: a limiter belongs to one."""
    try:
        return _LIMITER.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(min(THREADS, database.connections() or THREADS))
        _LIMITER.set(limiter)
        return limiter
