"""The networks agents may connect from and the private endpoints they may connect by: a row people change; until they do, what
the configuration says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.networks import Network
from tradewind_protocol.networks import network as parsed_network
from tradewind_provider.domain import addresses
from tradewind_provider.domain.addresses import AddressGate
from tradewind_provider.services import audit
from tradewind_provider.store.tables import AgentSession, Setting

NAME = "allowed_addresses"


@dataclass(frozen=True)
class AllowListEntry:
    """One network, and what it is, for people."""

    network: Network
    description: str = ""


@dataclass(frozen=True)
class EndpointEntry:
    """One private endpoint, and its name, for people."""

    endpoint: str
    name: str = ""


@dataclass(frozen=True)
class AllowList:
    """The list as it is in force. `revision` 0: it was never changed."""

    entries: tuple[AllowListEntry, ...] = ()
    endpoints: tuple[EndpointEntry, ...] = ()
    private_only: bool = False
    revision: int = 0
    changed_at: datetime | None = None
    changed_by: str = ""

    @property
    def networks(self) -> tuple[Network, ...]:
        return tuple(entry.network for entry in self.entries)

    def gate(self, configured: AddressGate) -> AddressGate:
        """What the list admits, with the proxies and gateways of the configuration."""
        return AddressGate(
            self.networks,
            configured.proxies,
            configured.gateways,
            frozenset(one.endpoint for one in self.endpoints),
            self.private_only,
        )


@dataclass(frozen=True)
class AllowListChange:
    """What a person asks for. None: as it is."""

    entries: Sequence[AllowListEntry] | None = None
    endpoints: Sequence[EndpointEntry] | None = None
    private_only: bool | None = None
    revision: int | None = None  # of the list that the person has seen; None: of any
    force: bool = False
    reason: str = ""

    def of(self, before: AllowList) -> AllowList:
        """The list that is asked for, each network and each endpoint once."""
        wanted = before
        if self.entries is not None:
            wanted = replaced(wanted, entries=tuple({one.network: one for one in self.entries}.values()))
        if self.endpoints is not None:
            wanted = replaced(wanted, endpoints=tuple({one.endpoint: one for one in self.endpoints}.values()))
        if self.private_only is not None:
            wanted = replaced(wanted, private_only=self.private_only)
        return wanted


def read(db: Session, *, initial: Sequence[Network]) -> AllowList:
    """The list in force; `initial`, from the configuration, until a person sets one."""
    row = db.get(Setting, NAME, populate_existing=True)
    if row is None:
        return AllowList(tuple(AllowListEntry(one) for one in initial))
    # a list that was set before there were private endpoints: networks alone
    value = row.value if isinstance(row.value, dict) else {"networks": row.value}
    return AllowList(
        tuple(
            AllowListEntry(parsed_network(one["network"]), one.get("description", ""))
            for one in value["networks"]
        ),
        tuple(EndpointEntry(one["endpoint"], one["name"]) for one in value.get("endpoints", ())),
        value.get("private_only", False),
        row.revision,
        row.changed_at,
        row.changed_by,
    )


def parsed(network: str, description: str = "") -> AllowListEntry:
    """An entry from what a person wrote. Raises Refused MALFORMED naming it."""
    try:
        return AllowListEntry(parsed_network(network), description.strip())
    except ValueError as error:
        raise Refused(
            Code.MALFORMED,
            f"{network!r} is not a network: {error}",
            remedy="write 203.0.113.0/24, 203.0.113.7 or 2001:db8::/32",
        ) from None


def parsed_endpoint(endpoint: str, name: str = "") -> EndpointEntry:
    """An entry from what a person wrote. Raises Refused MALFORMED naming it."""
    try:
        return EndpointEntry(addresses.endpoint(endpoint), name.strip())
    except ValueError as error:
        raise Refused(
            Code.MALFORMED,
            str(error),
            remedy="write aws:vpce-08d2bf15fac5001c9, azure:<link identifier> or gcp:<PSC connection id>",
        ) from None


def replace(
    db: Session,
    change: AllowListChange,
    *,
    actor: str,
    address: str,
    initial: Sequence[Network],
    now: datetime,
) -> AllowList:
    """Change the list; in force everywhere within seconds. `address` is the caller's.

    The same again changes nothing. Raises Refused CONFLICT when the list is not at the change's `revision` any more and, unless
    `force` is given, when the change would lock out an agent that is connected and admitted, or when new networks would lock out
    the caller.
    """
    before = read(db, initial=initial)
    if change.revision is not None and change.revision != before.revision:
        raise Refused(
            Code.CONFLICT,
            f"the list of allowed addresses was changed by {before.changed_by or 'another person'} meanwhile",
            remedy="look at it and decide anew",
            revision=before.revision,
        )
    wanted = change.of(before)
    is_same = _value(wanted) == _value(before)
    if not change.force and not is_same:
        _refuse_lock_out(db, before, wanted, address)
    row = db.get(Setting, NAME, with_for_update=True)
    if row is not None and is_same:
        return before
    if row is None:
        row = Setting(name=NAME, value=_value(wanted), revision=1, changed_at=now, changed_by=actor)
        db.add(row)
    else:
        row.value, row.changed_at, row.changed_by = _value(wanted), now, actor
        row.revision += 1
    _record(db, before, wanted, change, actor=actor, now=now)
    db.flush()
    return replaced(wanted, revision=row.revision, changed_at=now, changed_by=actor)


def _value(found: AllowList) -> dict[str, Any]:
    """The list as its row has it."""
    return {
        "networks": [{"network": str(one.network), "description": one.description} for one in found.entries],
        "endpoints": [{"endpoint": one.endpoint, "name": one.name} for one in found.endpoints],
        "private_only": found.private_only,
    }


def _record(
    db: Session, before: AllowList, wanted: AllowList, change: AllowListChange, *, actor: str, now: datetime
) -> None:
    audit.record(
        db,
        action="allowed_addresses_set",
        actor=actor,
        subject="deployment:allowed-addresses",
        reason=change.reason,
        now=now,
        detail={
            "added": sorted(_names(wanted) - _names(before)),
            "removed": sorted(_names(before) - _names(wanted)),
            "networks": [str(one) for one in wanted.networks][:100],
            "endpoints": [one.endpoint for one in wanted.endpoints][:100],
            "private_only": wanted.private_only,
            "forced": change.force,
        },
    )


def _names(found: AllowList) -> set[str]:
    return {str(one) for one in found.networks} | {one.endpoint for one in found.endpoints}


def locked_out(db: Session, gate: AddressGate) -> list[str]:
    """Names of connected agents that `gate` does not admit."""
    return [name for name, *route in _connected(db) if not gate.admits(*route)]


def _connected(db: Session) -> list[tuple[str, str, str]]:
    """Name, address and endpoint of each connected agent whose address is known."""
    rows = db.execute(
        select(AgentSession.name, AgentSession.address, AgentSession.endpoint)
        .where(AgentSession.ended_at.is_(None), AgentSession.lost_at.is_(None))
        .where(AgentSession.address.is_not(None), AgentSession.address != "")
        .order_by(AgentSession.name)
    )
    return [(name, address or "", endpoint or "") for name, address, endpoint in rows]


def _refuse_lock_out(db: Session, before: AllowList, wanted: AllowList, address: str) -> None:
    # The caller is a person: networks concern them, private endpoints and the switch do not.
    for_people = AddressGate(wanted.networks)
    if wanted.entries != before.entries and address and not for_people.admits(address):
        raise Refused(
            Code.CONFLICT,
            f"this list would lock out the address you come from, {address}",
            remedy="add it, or force the list if that is meant",
            your_address=address,
        )
    gate_now, gate_then = before.gate(AddressGate()), wanted.gate(AddressGate())
    # Agents that the list in force does not admit either are on their way out, and do not count.
    out = [
        name for name, *route in _connected(db) if gate_now.admits(*route) and not gate_then.admits(*route)
    ]
    if out:
        raise Refused(
            Code.CONFLICT,
            f"this change would lock out connected agents: {_enumerated(out)}",
            remedy="add their networks or private endpoints first, or force the change if that is meant",
            locked_out=out[:100],
        )


def _enumerated(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more
