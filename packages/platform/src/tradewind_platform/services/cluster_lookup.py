"""Finds a cluster: by its name, and for a workspace that may use it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.clusters import ControllerState, controller_state
from tradewind_platform.services.references import found_by
from tradewind_platform.store.cluster_tables import ClusterController, ClusterWorkspace
from tradewind_platform.store.tables import Cluster, Workspace
from tradewind_protocol.errors import Code, Refused


def found(db: Session, reference: str) -> Cluster:
    """The cluster of that name or id. Raises Refused NOT_FOUND."""
    row = found_by(db, Cluster, reference, Cluster.name)
    if row is None:
        raise Refused(Code.NOT_FOUND, f"there is no cluster {reference!r}")
    return row


def chosen(db: Session, reference: str | None, workspace: Workspace, now: datetime) -> Cluster:
    """The cluster for a new Deployment of the workspace; without a reference its default one, or the only one that it may use.

    Raises Refused for a cluster that it may not use, and for one whose controller has never connected.
    """
    row = _wanted(db, reference, workspace)
    controller = controller_of(db, row)
    if controller is not None and controller_state(controller.beat_at, now) is ControllerState.NEVER:
        raise Refused(
            Code.CONFLICT,
            f"the controller of the cluster {row.name!r} has not connected yet",
            remedy="Install it with the line that `tradewind clusters add` printed.",
        )
    return row


def require_usable(
    db: Session, row: Cluster, workspace: Workspace, *, remedy: str = "or name another cluster"
) -> None:
    """Raises Refused CONFLICT unless the workspace may use the cluster. `remedy`: what else helps."""
    if _may_use(db, row, workspace):
        return
    which = "its default cluster" if row.id == workspace.default_cluster_id else "the cluster"
    raise Refused(
        Code.CONFLICT,
        f"the workspace {workspace.name!r} may not use {which} {row.name!r}",
        remedy=f"Ask an owner of the organization to allow it, {remedy}.",
    )


def usable(db: Session, workspace: Workspace) -> list[Cluster]:
    """The clusters that the workspace may use, by name."""
    rows = db.scalars(select(Cluster).order_by(Cluster.name))
    return [row for row in rows if _may_use(db, row, workspace)]


def workspaces_of(db: Session, row: Cluster) -> set[UUID]:
    """The workspaces that may use the cluster; none: all of them."""
    return set(db.scalars(select(ClusterWorkspace.workspace_id).where(ClusterWorkspace.cluster_id == row.id)))


def controller_of(db: Session, row: Cluster) -> ClusterController | None:
    """None for the platform's own machine."""
    return db.scalar(select(ClusterController).where(ClusterController.cluster_id == row.id))


def _wanted(db: Session, reference: str | None, workspace: Workspace) -> Cluster:
    if reference is None and workspace.default_cluster_id is not None:
        reference = str(workspace.default_cluster_id)
    if reference is not None:
        row = found(db, reference)
        require_usable(db, row, workspace)
        return row
    rows = usable(db, workspace)
    if not rows:
        raise Refused(
            Code.MALFORMED,
            f"the workspace {workspace.name!r} may use 0 clusters, and has no default one",
            remedy="Ask an owner of the organization to add a cluster, or to allow one.",
        )
    if len(rows) > 1:
        raise Refused(
            Code.MALFORMED,
            f"the workspace {workspace.name!r} may use {len(rows)} clusters, and has no default one",
            remedy=f"Name the one that the Deployment shall run in ({', '.join(row.name for row in rows)}), "
            "or give the workspace a default cluster.",
        )
    return rows[0]


def _may_use(db: Session, row: Cluster, workspace: Workspace) -> bool:
    allowed = workspaces_of(db, row)
    return not allowed or workspace.id in allowed
