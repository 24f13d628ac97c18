"""From where agents may connect."""

from __future__ import annotations

from fastapi import APIRouter, Request

from tradewind_protocol import operator
from tradewind_protocol.errors import Code, Refused
from tradewind_provider import settings
from tradewind_provider.airflow import permissions
from tradewind_provider.api import transactions
from tradewind_provider.api.ingress.address_gate import LiveAddressGate
from tradewind_provider.api.operator.access import AddressReader, AddressSetter, Now
from tradewind_provider.services.operator import allow_list

router = APIRouter(prefix="/allowed-addresses", tags=["Allowed addresses"])


@router.get("", summary="Look at the allowed addresses")
def get(caller: AddressReader) -> operator.AllowedAddresses:
    """The networks agents may connect from; none: from anywhere."""
    return transactions.in_transaction(lambda db: allow_list.get(db, configured=settings.current().gate))


@router.put("", summary="Set the allowed addresses")
def put(
    ask: operator.SetAllowedAddresses, request: Request, caller: AddressSetter, now: Now
) -> operator.AllowedAddresses:
    """In force on every API server within seconds. A change that would lock out a connected agent or the caller is
    refused unless forced; with `revision`, so is one of a list that another user changed meanwhile. On a Deployment that a
    platform manages, it is refused unless the platform passes it on. Idempotent."""
    platform = settings.current().platform
    if platform is not None and not permissions.by_platform(caller.user):
        raise Refused(
            Code.CONFLICT,
            "the platform manages this Deployment, so its allowed addresses are changed there",
            remedy=f"Open the Deployment's settings at {platform.url}, or use `tradewind --deployment NAME allowed-ips`.",
        )
    answer = transactions.in_transaction(
        lambda db: allow_list.put(db, ask, actor=caller.name, configured=settings.current().gate, now=now)
    )
    gate: LiveAddressGate = request.app.state.gate
    gate.expire()
    return answer
