"""The list of networks agents may connect from: a row people change; until they do, what the configuration says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol.errors import Code, Refused
from tradewind_provider.domain import addresses
from tradewind_provider.domain.addresses import AddressGate, Network
from tradewind_provider.services import audit
from tradewind_provider.store.tables import AgentSession, Setting

NAME = "allowed_addresses"


@dataclass(frozen=True)
class AllowListEntry:
    """One network, and what it is, for people."""

    network: Network
    description: str = ""


@dataclass(frozen=True)
class AllowList:
    """The list as it is in force. `revision` 0: it was never changed."""

    entries: tuple[AllowListEntry, ...] = ()
    revision: int = 0
    changed_at: datetime | None = None
    changed_by: str = ""

    @property
    def networks(self) -> tuple[Network, ...]:
        return tuple(entry.network for entry in self.entries)


def read(db: Session, *, initial: Sequence[Network]) -> AllowList:
    """The list in force; `initial`, from the configuration, until a person sets one."""
    row = db.get(Setting, NAME, populate_existing=True)
    if row is None:
        return AllowList(tuple(AllowListEntry(one) for one in initial))
    entries = tuple(
        AllowListEntry(addresses.network(one["network"]), one.get("description", "")) for one in row.value
    )
    return AllowList(entries, row.revision, row.changed_at, row.changed_by)


def parsed(network: str, description: str = "") -> AllowListEntry:
    """An entry from what a person wrote. Raises Refused MALFORMED naming it."""
    try:
        return AllowListEntry(addresses.network(network), description.strip())
    except ValueError as error:
        raise Refused(
            Code.MALFORMED,
            f"{network!r} is not a network: {error}",
            remedy="write 203.0.113.0/24, 203.0.113.7 or 2001:db8::/32",
        ) from None


def replace(
    db: Session,
    entries: Sequence[AllowListEntry],
    *,
    actor: str,
    address: str,
    reason: str = "",
    force: bool = False,
    revision: int | None = None,
    initial: Sequence[Network],
    now: datetime,
) -> AllowList:
    """Put `entries` in the place of the list; in force everywhere within seconds. `address` is the caller's.

    The same list again changes nothing. Raises Refused CONFLICT when the list would lock out the caller or every
    connected agent and `force` is not given, or when it is not at `revision` (if one is given) any more.
    """
    before = read(db, initial=initial)
    if revision is not None and revision != before.revision:
        raise Refused(
            Code.CONFLICT,
            f"the list of allowed addresses was changed by {before.changed_by or 'another person'} meanwhile",
            remedy="look at it and decide anew",
            revision=before.revision,
        )
    wanted = tuple({entry.network: entry for entry in entries}.values())
    gate = AddressGate(tuple(entry.network for entry in wanted))
    if not force:
        _refuse_lock_out(db, gate, address)
    row = db.get(Setting, NAME, with_for_update=True)
    if row is not None and before.entries == wanted:
        return before
    value = [{"network": str(one.network), "description": one.description} for one in wanted]
    if row is None:
        row = Setting(name=NAME, value=value, revision=1, changed_at=now, changed_by=actor)
        db.add(row)
    else:
        row.value, row.revision, row.changed_at, row.changed_by = value, row.revision + 1, now, actor
    audit.record(
        db,
        action="allowed_addresses_set",
        actor=actor,
        subject="deployment:allowed-addresses",
        reason=reason,
        now=now,
        detail={
            "added": sorted({str(one.network) for one in wanted} - {str(one) for one in before.networks}),
            "removed": sorted({str(one) for one in before.networks} - {str(one.network) for one in wanted}),
            "networks": [str(one.network) for one in wanted][:100],
            "forced": force,
        },
    )
    db.flush()
    return AllowList(wanted, row.revision, now, actor)


def locked_out(db: Session, gate: AddressGate) -> tuple[list[str], int]:
    """Names of connected agents that `gate` does not admit, and how many agents are connected whose address is known."""
    rows = db.execute(
        select(AgentSession.name, AgentSession.address)
        .where(AgentSession.ended_at.is_(None), AgentSession.lost_at.is_(None))
        .where(AgentSession.address.is_not(None), AgentSession.address != "")
        .order_by(AgentSession.name)
    ).all()
    return [name for name, address in rows if not gate.admits(address or "")], len(rows)


def _refuse_lock_out(db: Session, gate: AddressGate, address: str) -> None:
    if not gate.allowed:
        return
    if address and not gate.admits(address):
        raise Refused(
            Code.CONFLICT,
            f"this list would lock out the address you come from, {address}",
            remedy="add it, or force the list if that is meant",
            your_address=address,
        )
    out, connected = locked_out(db, gate)
    if out and len(out) == connected:
        raise Refused(
            Code.CONFLICT,
            f"this list would lock out every connected agent: {', '.join(out[:10])}"
            + (f" and {len(out) - 10} more" if len(out) > 10 else ""),
            remedy="add their networks, or force the list if that is meant",
            locked_out=out[:100],
        )
