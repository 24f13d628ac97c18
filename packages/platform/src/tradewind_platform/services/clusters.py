"""Clusters: where Deployments run."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.roles import ORGANIZATION, Permission, Principal
from tradewind_platform.services.change import require
from tradewind_platform.services.references import found_by
from tradewind_platform.store.tables import Cluster
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import ClusterView


def listed(db: Session, caller: Principal) -> list[ClusterView]:
    require(caller, Permission.CLUSTERS_GET, ORGANIZATION)
    return [view(row) for row in db.scalars(select(Cluster).order_by(Cluster.name))]


def get(db: Session, caller: Principal, reference: str) -> ClusterView:
    require(caller, Permission.CLUSTERS_GET, ORGANIZATION)
    row = found_by(db, Cluster, reference, Cluster.name)
    if row is None:
        raise Refused(Code.NOT_FOUND, f"there is no cluster {reference!r}")
    return view(row)


def view(row: Cluster) -> ClusterView:
    return ClusterView.model_validate(row, from_attributes=True)
