"""Queues."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from tradewind_protocol import operator
from tradewind_provider.api import transactions
from tradewind_provider.api.operator.access import Expected, Now, Reader
from tradewind_provider.services.operator import queues, throughput

router = APIRouter(prefix="/queues", tags=["Queues"])


@router.get("", summary="List queues")
def list_(caller: Reader, now: Now, beats: Expected) -> operator.Page[operator.QueueView]:
    """Every queue an agent serves or work waits in: how deep, how long, who serves it, and what is wrong with it."""
    return transactions.in_transaction(lambda db: queues.listed(db, now=now, beats=beats))


@router.get("/throughput", summary="How much work ended lately, queue by queue")
def lately(
    caller: Reader,
    now: Now,
    minutes: Annotated[int, Query(ge=1, le=1440, description="How far back.")] = 60,
) -> operator.Throughput:
    """Minute by minute; the minute that runs is left out."""
    return transactions.in_transaction(lambda db: throughput.recent(db, minutes=minutes, now=now))
