"""Operations that a person wants to end before their last step."""

from __future__ import annotations

from typing import Final

from tradewind_platform.domain.operations import Kind
from tradewind_platform.services import deployment_lookup, hibernation, operations
from tradewind_platform.services.change import Change
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import OperationView

_INSTEAD: Final = {
    Kind.DELETE: "Wait for it, and restore the Deployment: `tradewind deployments restore`.",
    Kind.PURGE: "What it erases cannot be brought back.",
}


def cancel(change: Change, reference: str) -> OperationView:
    """Ask an operation to end between two steps. The reconciler then undoes what it did, where that can be undone; past that
    point it goes on. Idempotent. Raises Refused for one that has ended, and for a deletion."""
    row, deployment = operations.for_change(change, reference)
    kind = Kind(row.kind)
    change.require(operations.permission_for(kind), deployment_lookup.target(deployment))
    if row.unfinished is None:
        raise Refused(
            Code.CONFLICT,
            f"the operation {row.id} has ended: it is {row.state}",
            remedy="There is nothing to cancel.",
        )
    if kind in _INSTEAD:
        raise Refused(
            Code.CONFLICT,
            f"the operation {row.id} is a {kind.value}, which is not cancelled",
            remedy=_INSTEAD[kind],
        )
    if row.cancelled_at is None:
        row.cancelled_at, row.cancelled_by = change.now, change.caller.name
        if kind in (Kind.HIBERNATE, Kind.WAKE):
            # Its schedule would begin it again at once.
            hibernation.stay(change, deployment, sleeps=kind is Kind.WAKE)
    change.event.changes = {"operation": kind.value}
    change.begun = True
    change.db.flush()
    return operations.view(change.db, row, deployment)
