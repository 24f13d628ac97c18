"""The clusters that a workspace may use, for people who choose one for a Deployment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from tradewind_platform.domain.clusters import ControllerState, controller_state
from tradewind_platform.domain.roles import Permission, Principal, Target
from tradewind_platform.services import cluster_lookup, workspaces
from tradewind_platform.services.change import require
from tradewind_protocol.platform import WorkspaceClusterView


def listed(db: Session, caller: Principal, reference: str, now: datetime) -> list[WorkspaceClusterView]:
    """By name. Nothing of a cluster's controller, token or other workspaces: its owner's page has these.

    Raises Refused NOT_FOUND for a workspace that the caller may not know of, and NOT_PERMITTED for one in which it only has a role
    on a Deployment.
    """
    workspace = workspaces.found(db, caller, reference)
    require(caller, Permission.WORKSPACE_GET, Target(workspace.id))
    found = []
    for row in cluster_lookup.usable(db, workspace):
        controller = cluster_lookup.controller_of(db, row)
        state = ControllerState.CONNECTED if controller is None else controller_state(controller.beat_at, now)
        found.append(
            WorkspaceClusterView(
                id=row.id,
                name=row.name,
                driver=row.driver,
                region=row.region,
                agents_url=row.agents_url,
                state=state.value,
                sizes=() if controller is None else tuple(controller.sizes or ()),
                is_default=row.id == workspace.default_cluster_id,
            )
        )
    return found
