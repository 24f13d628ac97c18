"""Finds a Deployment that a caller may know of."""

from __future__ import annotations

from sqlalchemy.orm import Session

from tradewind_platform.domain.roles import Permission, Principal, Target
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


def target(row: Deployment) -> Target:
    return Target(row.workspace_id, row.id)
