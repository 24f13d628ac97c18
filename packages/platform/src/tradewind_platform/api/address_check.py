"""Answers requests from the organization's allowed addresses only, before anything else of them is looked at."""

from __future__ import annotations

from ipaddress import IPv6Network
from typing import Final

import anyio.to_thread
from fastapi import Request, Response
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind_platform.api import problems
from tradewind_platform.api.context import Platform
from tradewind_platform.api.refusal_page import refusal_page
from tradewind_platform.api.scim import errors as scim_errors
from tradewind_platform.domain import api_tokens
from tradewind_platform.domain import scim_tokens as scim_rules
from tradewind_platform.services import people, scim_tokens, sso_settings
from tradewind_platform.services.change import Event, Origin, record
from tradewind_platform.store.tables import Organization
from tradewind_protocol import access, controllers, ids
from tradewind_protocol.errors import STATUS, Code, Refused
from tradewind_protocol.networks import bare, network

ACTION: Final = "organization.access"
"""Of the audit event of a request that was refused."""

_OPEN: Final = frozenset({"/healthz", "/readyz", access.TOKEN_PATH, sso_settings.BACK_CHANNEL})
_OPEN_BELOW: Final = (controllers.PREFIX + "/", access.INTERNAL_PREFIX.partition("{")[0])
"""What machines ask that have a credential of their own, and no place on a list of people's networks: controllers of clusters, API
servers of Deployments, probes, and the identity provider that ends a session. A terminal asks at the path of tokens, too, and is
checked there."""


class AllowedAddressCheck:
    """Every path is answered from the organization's allowed addresses only, but for those of machines."""

    def __init__(self, app: ASGIApp, platform: Platform) -> None:
        self._app = app
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_open(scope["path"]):
            try:
                await require_allowed_address(self._platform, scope)
            except Refused as error:
                await _answer(scope, error)(scope, receive, send)
                return
            except OperationalError:
                await problems.database_away(Request(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether the path is answered from any address."""
    return path in _OPEN or path.startswith(_OPEN_BELOW)


async def require_allowed_address(platform: Platform, scope: Scope) -> None:
    """Raises Refused ADDRESS_NOT_ALLOWED for a request from another address than the organization allows."""
    origin: Origin = scope["tradewind_origin"]
    address = bare(origin.address)
    allowed = platform.allowed_addresses.known()
    if allowed is None:
        allowed = await anyio.to_thread.run_sync(platform.allowed_addresses.read)
    if allowed.admits(address):
        return
    if _may_record(platform, address):
        await anyio.to_thread.run_sync(_record, platform, scope, origin)
    raise Refused(
        Code.ADDRESS_NOT_ALLOWED,
        f"the organization allows no request from {address or 'an address that is not known'}",
        remedy="Come from one of its networks, or ask an owner of the organization to add the address: "
        "`tradewind organization allowed-ips add`.",
        your_address=address,
    )


def _answer(scope: Scope, error: Refused) -> Response:
    path = scope["path"]
    if path == scim_tokens.PATH or path.startswith(scim_tokens.PATH + "/"):
        return scim_errors.refused(error)
    if scope["method"] in ("GET", "HEAD") and "text/html" in Headers(scope=scope).get("accept", ""):
        refusal = error.refusal
        sentence = f"{refusal.message[:1].upper()}{refusal.message[1:]}."
        status = STATUS[refusal.error]
        return refusal_page("Address not allowed", sentence, refusal.remedy, status=status, link=False)
    return problems.answer(error.refusal)


def _may_record(platform: Platform, address: str) -> bool:
    """Each address seldom, and all together not too often: any client can make refusals."""
    limits, now = platform.address_refusal_limits, platform.clock()
    return limits.address.take(_network_of(address), now) is None and limits.all.take("", now) is None


def _network_of(address: str) -> str:
    """The address, or of version 6 the network that one site has by itself."""
    try:
        found = network(address)
    except ValueError:
        return ""
    return str(found.supernet(new_prefix=64)) if isinstance(found, IPv6Network) else address


def _record(platform: Platform, scope: Scope, origin: Origin) -> None:
    with platform.store.reading_all() as db:
        organization = db.scalar(select(Organization.id).order_by(Organization.id))
    if organization is None:
        return
    event = Event("organization", changes=_shown_token(scope))
    with platform.store.transaction(organization) as db:
        record(
            db,
            action=ACTION,
            caller=people.NOBODY,
            origin=origin,
            event=event,
            result=Code.ADDRESS_NOT_ALLOWED.value,
            now=platform.clock(),
        )


def _shown_token(scope: Scope) -> dict[str, str]:
    """What may be shown of the token that the request has: one that is used from elsewhere may be a stolen one."""
    token = Headers(scope=scope).get("authorization", "").partition(" ")[2].strip()
    for prefix, shown in (
        (api_tokens.PREFIX, api_tokens.SHOWN),
        (scim_rules.PREFIX, scim_rules.SHOWN),
    ):
        if ids.has_form_of(token, prefix):
            return {"token": token[:shown]}
    return {}
