"""Sentinels."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from tradewind_protocol import operator
from tradewind_provider.api import transactions
from tradewind_provider.api.operator.access import Filter, Now, Part, Reader
from tradewind_provider.services.operator import sentinels

router = APIRouter(prefix="/sentinels", tags=["Sentinels"])


@router.get("", summary="List sentinels")
def list_(caller: Reader, now: Now) -> operator.Page[operator.SentinelView]:
    """Each with the agents it sees, their groups, and what is wrong."""
    return transactions.in_transaction(lambda db: sentinels.listed(db, now=now))


@router.get("/findings", summary="List what sentinels find wrong")
def findings(
    caller: Reader,
    now: Now,
    part: Part,
    site: Annotated[Filter, Query(description="Only of this site.")] = None,
    check: Annotated[Filter, Query(description="Only of this check.")] = None,
    subject: Annotated[Filter, Query(description="Only of this agent or group.")] = None,
) -> operator.Page[operator.SentinelFindingView]:
    """The newest first."""
    return transactions.in_transaction(
        lambda db: sentinels.findings(db, part, now=now, site=site, check=check, subject=subject)
    )
