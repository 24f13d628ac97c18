"""Clusters: where Deployments run."""

from __future__ import annotations

from datetime import datetime

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


def chosen(db: Session, reference: str | None) -> Cluster:
    """The cluster of that name or id; without one, the only one there is. A caller that may create a Deployment may use it."""
    if reference is not None:
        row = found_by(db, Cluster, reference, Cluster.name)
        if row is None:
            raise Refused(Code.NOT_FOUND, f"there is no cluster {reference!r}")
        return row
    rows = db.scalars(select(Cluster)).all()
    if len(rows) != 1:
        raise Refused(
            Code.MALFORMED,
            f"there are {len(rows)} clusters",
            remedy="Name the one that the Deployment shall run in.",
        )
    return rows[0]


def ensure(
    db: Session, name: str, *, driver: str, agents_url: str, people_url: str, slug: str, now: datetime
) -> Cluster:
    """The cluster of that name, with these addresses."""
    row = db.scalar(select(Cluster).where(Cluster.name == name))
    if row is None:
        row = Cluster(
            slug=slug, name=name, driver=driver, agents_url="", people_url="", created_at=now, revision=0
        )
        db.add(row)
    if (row.agents_url, row.people_url) != (agents_url, people_url):
        row.agents_url, row.people_url = agents_url, people_url
        row.revision += 1
    return row
