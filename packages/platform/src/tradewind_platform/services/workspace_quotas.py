"""The quotas of workspaces: how many Deployments each has, and whether it may have one more."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import quotas as rules
from tradewind_platform.services.references import uuid_of
from tradewind_platform.store.tables import Deployment, Workspace
from tradewind_protocol.errors import Code, Refused


def counts(db: Session, workspaces: Collection[UUID]) -> dict[UUID, int]:
    """How many Deployments of each workspace count against its quota."""
    counted = (
        select(Deployment.workspace_id, func.count())
        .where(
            Deployment.workspace_id.in_(workspaces),
            Deployment.phase.in_([one.value for one in rules.COUNTED]),
        )
        .group_by(Deployment.workspace_id)
    )
    found = {row[0]: row[1] for row in db.execute(counted)}
    return {id: found.get(id, 0) for id in workspaces}


def lock_workspace_of(db: Session, deployment: str) -> UUID | None:
    """Lock the workspace of the Deployment of that name or id, before the Deployment itself (`store/lock_order.py`). Returns its id; None
    when there is no such Deployment."""
    id = uuid_of(deployment)
    held = (
        select(Workspace.id)
        .join(Deployment, Deployment.workspace_id == Workspace.id)
        .where(Deployment.id == id if id is not None else Deployment.live_name == deployment)
    )
    return db.scalar(held.with_for_update(of=Workspace, key_share=True))


def require_room(db: Session, workspace: UUID) -> None:
    """Raises Refused CONFLICT when the workspace has as many Deployments as its quota allows.

    On PostgreSQL the workspace's row stays locked until the transaction ends, so that of two changes that each add a Deployment the
    second one counts that of the first.
    """
    held = select(Workspace.name, Workspace.deployments_at_most).where(Workspace.id == workspace)
    name, at_most = db.execute(held.with_for_update(key_share=True)).one()
    deployments = counts(db, [workspace])[workspace]
    if not rules.has_room(at_most, deployments):
        raise Refused(
            Code.CONFLICT,
            f"the workspace {name!r} has reached its quota of Deployments: it has {deployments} of {at_most}",
            remedy="Delete one that is not needed, or ask an owner of the organization for a higher quota: "
            f"`tradewind workspaces edit {name} --deployments-at-most N`.",
            deployments=deployments,
            deployments_at_most=at_most,
        )
