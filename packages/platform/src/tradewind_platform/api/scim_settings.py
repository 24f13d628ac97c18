"""Whether an identity provider pushes people and groups: the token by which it does."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from tradewind_platform.api import changes
from tradewind_platform.api.context import platform_of
from tradewind_platform.api.parameters import Reason
from tradewind_platform.api.reads import reading
from tradewind_platform.services import scim_tokens
from tradewind_protocol.people import NewScimToken, ScimTokenCreated, ScimView

router = APIRouter()


@router.get("/organization/scim")
def get_scim(request: Request) -> ScimView:
    """Whether SCIM is on, its address, and what is known of its token."""
    platform = platform_of(request)
    with reading(request) as (db, caller):
        return scim_tokens.get(db, caller, platform.origin, now=platform.clock())


@router.post("/organization/scim/token", status_code=201, response_model=ScimTokenCreated)
def create_scim_token(request: Request, ask: NewScimToken, reason: Reason = "") -> Response:
    """Turn SCIM on, or replace the token: the value before is good for the overlap. The new value is shown once."""
    origin = platform_of(request).origin
    return changes.run(
        request,
        "scimToken.create",
        ask,
        lambda change: scim_tokens.create(change, ask, origin),
        reason=reason,
        status=201,
    )


@router.delete("/organization/scim/token", status_code=204)
def revoke_scim_token(request: Request, reason: Reason = "") -> Response:
    """Turn SCIM off. People, groups and teams stay as they are."""
    return changes.run(request, "scimToken.delete", None, scim_tokens.revoke, reason=reason, status=204)
