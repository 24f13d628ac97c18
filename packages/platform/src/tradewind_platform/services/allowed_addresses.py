"""The organization's list of allowed addresses, as people see and set it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.allowed_addresses import AllowedAddresses
from tradewind_platform.domain.networks import in_cidr
from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal
from tradewind_platform.services import people
from tradewind_platform.services.change import Change, Event, Origin, record, require
from tradewind_platform.store.address_tables import AllowedAddressList
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.networks import bare
from tradewind_protocol.organization import OrganizationAllowedAddresses, SetOrganizationAllowedAddresses

ACTION: Final = "allowedAddresses.update"
_TARGET: Final = "organization:allowed-addresses"


def get(db: Session, caller: Principal, address: str) -> OrganizationAllowedAddresses:
    """The list in force. `address` is the caller's."""
    require(caller, Permission.ORGANIZATION_GET, ORGANIZATION)
    return _view(_row(db), address)


def put(change: Change, ask: SetOrganizationAllowedAddresses, address: str) -> OrganizationAllowedAddresses:
    """Put the list in the place of the one before. The same again changes nothing.

    Raises Refused MALFORMED naming what is no network, and CONFLICT for a list without the caller's own `address`, also
    when the one before had it neither: a person must be able to take back what they did.
    """
    change.event.target = _TARGET
    change.require(Permission.ORGANIZATION_UPDATE, ORGANIZATION)
    row = _row(change.db, locked=True)
    change.expect(0 if row is None else row.revision, "the list of allowed addresses")
    wanted = {in_cidr(one.network): one.description.strip() for one in ask.networks}
    _refuse_lock_out(wanted, address)
    row = _replace(change.db, row, wanted, by=change.caller.name, now=change.now, event=change.event)
    return _view(row, address)


def clear(db: Session, *, reason: str, now: datetime) -> bool:
    """Allow any address, on the platform's machine. Returns whether there were networks. With its audit event."""
    row = _row(db, locked=True)
    if row is None or not row.networks:
        return False
    event = Event(_TARGET, reason=reason)
    _replace(db, row, {}, by=people.SYSTEM.name, now=now, event=event)
    record(db, action=ACTION, caller=people.SYSTEM, origin=Origin(), event=event, result="done", now=now)
    return True


def view(db: Session) -> OrganizationAllowedAddresses:
    """The list in force, on the platform's machine."""
    return _view(_row(db), "")


def _row(db: Session, *, locked: bool = False) -> AllowedAddressList | None:
    statement = select(AllowedAddressList)
    return db.scalar(statement.with_for_update() if locked else statement)


def _replace(
    db: Session,
    row: AllowedAddressList | None,
    wanted: dict[str, str],
    *,
    by: str,
    now: datetime,
    event: Event,
) -> AllowedAddressList | None:
    networks: list[dict[str, Any]] = [
        {"network": network, "description": description} for network, description in wanted.items()
    ]
    had = [] if row is None else row.networks
    if networks == had:
        return row
    before = {str(one["network"]) for one in had}
    event.changes = {"added": sorted(set(wanted) - before), "removed": sorted(before - set(wanted))}
    if row is None:
        row = AllowedAddressList(networks=networks, changed_at=now, changed_by=by, revision=1)
        db.add(row)
    else:
        row.networks, row.changed_at, row.changed_by, row.revision = networks, now, by, row.revision + 1
    db.flush()
    return row


def _refuse_lock_out(wanted: dict[str, str], address: str) -> None:
    if AllowedAddresses.of(wanted).admits(bare(address)):
        return
    raise Refused(
        Code.CONFLICT,
        f"this list would lock out the address you come from, {bare(address) or 'which is not known'}",
        remedy="Add it. On the platform's machine, `tradewind platform allowed-ips clear` allows any address.",
        your_address=bare(address),
    )


def _view(row: AllowedAddressList | None, address: str) -> OrganizationAllowedAddresses:
    if row is None:
        return OrganizationAllowedAddresses(your_address=bare(address))
    return OrganizationAllowedAddresses(
        networks=tuple(row.networks),
        revision=row.revision,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
        your_address=bare(address),
    )
