"""A layer that has options and variables: one cluster, workspace or Deployment."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from tradewind_platform.domain.configuration import Layer
from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal, Target
from tradewind_platform.services import cluster_lookup, deployment_lookup, workspaces
from tradewind_platform.services.change import Change, require
from tradewind_platform.store.tables import Deployment


@dataclass(frozen=True)
class Scope:
    """One cluster, workspace or Deployment, and the layers around it."""

    layer: Layer
    id: UUID
    name: str
    target: Target
    around: tuple[tuple[Layer, UUID], ...]
    deployment: Deployment | None = None


def found(db: Session, caller: Principal, layer: Layer, reference: str) -> Scope:
    """The scope of that name or id. Raises Refused NOT_FOUND, and NOT_PERMITTED for a cluster that the caller may not see."""
    if layer is Layer.DEPLOYMENT:
        return of_deployment(deployment_lookup.found(db, caller, reference))
    if layer is Layer.WORKSPACE:
        workspace = workspaces.found(db, caller, reference)
        return Scope(layer, workspace.id, workspace.name, Target(workspace.id), ())
    require(caller, Permission.CLUSTERS_GET, ORGANIZATION)
    cluster = cluster_lookup.found(db, reference)
    return Scope(layer, cluster.id, cluster.name, ORGANIZATION, ())


def for_change(change: Change, layer: Layer, reference: str) -> Scope:
    """The scope, for a caller who may change its options and variables. Raises Refused as `found` does, and NOT_PERMITTED."""
    change.event.target = f"{layer.value}:{reference}"
    scope = found(change.db, change.caller, layer, reference)
    change.event.target = f"{layer.value}:{scope.name}"
    change.event.workspace, change.event.deployment = scope.target.workspace, scope.target.deployment
    needed = Permission.CLUSTERS_UPDATE if layer is Layer.CLUSTER else Permission.CONFIG_UPDATE
    change.require(needed, scope.target)
    return scope


def of_deployment(row: Deployment) -> Scope:
    around = ((Layer.WORKSPACE, row.workspace_id), (Layer.CLUSTER, row.cluster_id))
    return Scope(Layer.DEPLOYMENT, row.id, row.name, deployment_lookup.target(row), around, row)
