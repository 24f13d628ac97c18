"""Runs what reads: a transaction of the caller's organization that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request
from sqlalchemy.orm import Session

from tradewind_platform.api.context import caller_of, platform_of
from tradewind_platform.domain.roles import Principal


@contextmanager
def reading(request: Request) -> Iterator[tuple[Session, Principal]]:
    caller = caller_of(request)
    with platform_of(request).store.reading(caller.organization) as db:
        yield db, caller.principal
