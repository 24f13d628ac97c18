"""The allowed addresses, as people see and set them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from tradewind_protocol import operator
from tradewind_provider.domain.addresses import Gate, Network
from tradewind_provider.services import allowed, whence


def get(db: Session, *, initial: Sequence[Network]) -> operator.AllowedAddresses:
    """The list in force; `initial` until somebody has set one."""
    return _view(db, allowed.read(db, initial=initial))


def put(
    db: Session,
    ask: operator.SetAllowedAddresses,
    *,
    actor: str,
    initial: Sequence[Network],
    now: datetime,
) -> operator.AllowedAddresses:
    """Set the list. Raises Refused MALFORMED naming what is no network, and as `services.allowed.replace` does."""
    found = allowed.replace(
        db,
        [allowed.parsed(one.network, one.description) for one in ask.networks],
        actor=actor,
        address=whence.address(),
        reason=ask.reason,
        force=ask.force,
        revision=ask.revision,
        initial=initial,
        now=now,
    )
    return _view(db, found)


def _view(db: Session, found: allowed.AllowList) -> operator.AllowedAddresses:
    out, _ = allowed.locked_out(db, Gate(found.networks))
    return operator.AllowedAddresses(
        networks=tuple(
            operator.AllowedNetwork(network=str(one.network), description=one.description)
            for one in found.entries
        ),
        revision=found.revision,
        changed_at=found.changed_at,
        changed_by=found.changed_by,
        your_address=whence.address(),
        locked_out=tuple(out),
    )
