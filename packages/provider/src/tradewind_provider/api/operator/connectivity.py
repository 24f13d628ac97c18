"""What the plane has seen of agents that do not connect."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from tradewind_protocol import operator
from tradewind_provider import settings
from tradewind_provider.api import transactions
from tradewind_provider.api.operator.access import AddressReader
from tradewind_provider.services.operator import connectivity

router = APIRouter(prefix="/connectivity", tags=["Allowed addresses"])


@router.get("", summary="Check the connectivity of an address")
def check(
    caller: AddressReader,
    source: Annotated[str, Query(max_length=64)] = "",
    endpoint: Annotated[str, Query(max_length=100)] = "",
) -> operator.Connectivity:
    """What the plane has seen of agents from an address or by a private endpoint: who is connected, and which tries were refused
    and why. Without both, of all. Refused tries are kept for a week, the newest 500, without their credentials."""
    return transactions.in_transaction(
        lambda db: connectivity.check(
            db, source=source.strip(), endpoint=endpoint.strip(), configured=settings.current().gate
        )
    )
