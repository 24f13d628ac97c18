"""Queues."""

from __future__ import annotations

from fastapi import APIRouter

from tradewind_protocol import operator
from tradewind_provider.api.operator.access import Expected, Now, Reader
from tradewind_provider.seams.database import create_session
from tradewind_provider.services.operator import queues

router = APIRouter(prefix="/queues", tags=["Queues"])


@router.get("", summary="List queues")
def list_(caller: Reader, now: Now, beats: Expected) -> operator.Page[operator.QueueView]:
    """Every queue an agent serves or work waits in: how deep, how long, who serves it, and what is wrong with it."""
    with create_session() as db:
        return queues.listed(db, now=now, beats=beats)
