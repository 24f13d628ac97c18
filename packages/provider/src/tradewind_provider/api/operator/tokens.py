"""Agent tokens."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from tradewind_protocol import operator
from tradewind_provider import settings
from tradewind_provider.api import transactions
from tradewind_provider.api.operator.access import (
    Filter,
    Now,
    Part,
    TokenDeleter,
    TokenMaker,
    TokenReader,
    TokenRotator,
    Why,
)
from tradewind_provider.services.operator import tokens

router = APIRouter(prefix="/tokens", tags=["Agent tokens"])


@router.post("", status_code=201, summary="Make an agent token")
def create(ask: operator.NewToken, caller: TokenMaker, now: Now) -> operator.TokenCreated:
    """Only this answer carries the token's value. The plane keeps its hash."""
    limit = settings.current().tokens_limit
    return transactions.in_transaction(
        lambda db: tokens.create(db, ask, actor=caller.name, now=now, limit=limit)
    )


@router.post("/{token_id}/rotate", summary="Give an agent token another value")
def rotate(
    token_id: UUID, ask: operator.RotateToken, caller: TokenRotator, now: Now
) -> operator.TokenCreated:
    """Only this answer carries the new value. The old one stays good for `overlap_hours`; agents whose
    token file is replaced meanwhile go on without losing a heartbeat. Not idempotent: each call makes a new value."""
    return transactions.in_transaction(
        lambda db: tokens.rotate(db, token_id, ask, actor=caller.name, now=now)
    )


@router.get("", summary="List agent tokens")
def list_(
    caller: TokenReader,
    now: Now,
    part: Part,
    name: Annotated[Filter, Query(description="Only of this name.")] = None,
) -> operator.Page[operator.TokenView]:
    """Tokens that are not deleted, by name and without their values."""
    return transactions.in_transaction(lambda db: tokens.page(db, part, now=now, name=name))


@router.get("/{token_id}", summary="Look at an agent token")
def get(token_id: UUID, caller: TokenReader, now: Now) -> operator.TokenView:
    return transactions.in_transaction(lambda db: tokens.get(db, token_id, now=now))


@router.delete("/{token_id}", status_code=204, summary="Delete an agent token")
def delete(token_id: UUID, caller: TokenDeleter, now: Now, reason: Why = "") -> None:
    """The sessions opened with it end within seconds. Idempotent."""
    transactions.in_transaction(
        lambda db: tokens.delete(db, token_id, actor=caller.name, reason=reason, now=now)
    )
