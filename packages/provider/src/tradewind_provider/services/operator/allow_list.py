"""The allowed addresses, as people see and set them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from tradewind_protocol import operator
from tradewind_provider.domain.addresses import AddressGate, proxy_warnings
from tradewind_provider.services import allow_list, client_address


def get(db: Session, *, configured: AddressGate) -> operator.AllowedAddresses:
    """The list in force; the configuration's until a person sets one."""
    return _view(db, allow_list.read(db, initial=configured.allowed), configured)


def put(
    db: Session,
    ask: operator.SetAllowedAddresses,
    *,
    actor: str,
    configured: AddressGate,
    now: datetime,
) -> operator.AllowedAddresses:
    """Set the list. Raises Refused MALFORMED naming what is no network, and as `services.allow_list.replace` does."""
    change = allow_list.AllowListChange(
        entries=[allow_list.parsed(one.network, one.description) for one in ask.networks],
        endpoints=None
        if ask.endpoints is None
        else [allow_list.parsed_endpoint(one.endpoint, one.name) for one in ask.endpoints],
        private_only=ask.private_only,
        revision=ask.revision,
        force=ask.force,
        reason=ask.reason,
    )
    found = allow_list.replace(
        db,
        change,
        actor=actor,
        address=client_address.address(),
        initial=configured.allowed,
        now=now,
    )
    return _view(db, found, configured)


def _view(db: Session, found: allow_list.AllowList, configured: AddressGate) -> operator.AllowedAddresses:
    out = allow_list.locked_out(db, found.gate(configured))
    return operator.AllowedAddresses(
        networks=tuple(
            operator.AllowedNetwork(network=str(one.network), description=one.description)
            for one in found.entries
        ),
        endpoints=tuple(
            operator.AllowedEndpoint(endpoint=one.endpoint, name=one.name) for one in found.endpoints
        ),
        private_only=found.private_only,
        revision=found.revision,
        changed_at=found.changed_at,
        changed_by=found.changed_by,
        your_address=client_address.address(),
        locked_out=tuple(out),
        warnings=proxy_warnings(configured.proxies),
    )
