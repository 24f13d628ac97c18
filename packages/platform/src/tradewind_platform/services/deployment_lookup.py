"""Finds a Deployment that a caller may know of."""

from __future__ import annotations

from sqlalchemy.orm import Session

from tradewind_platform.domain.roles import Permission, Principal, Target
from tradewind_platform.services.change import Change
from tradewind_platform.services.references import found_by
from tradewind_platform.store.tables import Deployment
from tradewind_protocol.errors import Code, Refused


def found(db: Session, caller: Principal, reference: str) -> Deployment:
    """The Deployment of that name or id. Raises Refused NOT_FOUND also for one that the caller may not know of.

    A name means the Deployment that has it now; one that was purged is found by its id.
    """
    row = found_by(db, Deployment, reference, Deployment.live_name)
    if row is None or not caller.may(Permission.DEPLOYMENT_GET, target(row)):
        raise Refused(Code.NOT_FOUND, f"there is no Deployment {reference!r}")
    return row


def for_change(
    change: Change, reference: str, permission: Permission, *, own_revision: bool = True
) -> Deployment:
    """The Deployment that a change is about, which its event names. Raises Refused, and PreconditionFailed when the change was
    made for another revision of it; not where `own_revision` is False, for what has a revision of its own."""
    change.event.target = f"deployment:{reference}"
    row = found(change.db, change.caller, reference)
    change.event.target = f"deployment:{row.name}"
    change.event.workspace, change.event.deployment = row.workspace_id, row.id
    change.require(permission, target(row))
    if own_revision:
        change.expect(row.revision, f"the Deployment {row.name!r}")
    return row


def target(row: Deployment) -> Target:
    return Target(row.workspace_id, row.id)
