"""From where the organization's pages and API may be used."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import caller_of, platform_of
from tradewind_platform.api.parameters import Reason
from tradewind_platform.api.reads import reading
from tradewind_platform.services import allowed_addresses
from tradewind_protocol.organization import OrganizationAllowedAddresses, SetOrganizationAllowedAddresses

router = APIRouter()


@router.get("/organization/allowed-addresses", response_model=OrganizationAllowedAddresses)
def get_allowed_addresses(request: Request) -> Response:
    """The networks from which people and their programs may use the platform; without one, from anywhere."""
    with reading(request) as (db, caller):
        return changes.respond(allowed_addresses.get(db, caller, caller_of(request).origin.address))


@router.put("/organization/allowed-addresses", response_model=OrganizationAllowedAddresses)
def put_allowed_addresses(
    request: Request, ask: SetOrganizationAllowedAddresses, reason: Reason = ""
) -> Response:
    """Replace the list. Refused when the caller's own address is not on it. In force within a second, everywhere."""
    address = caller_of(request).origin.address
    answer = changes.run(
        request,
        allowed_addresses.ACTION,
        ask,
        lambda change: allowed_addresses.put(change, ask, address),
        reason=reason,
    )
    platform_of(request).allowed_addresses.forget()
    return answer
