"""Tokens of clusters: each opens the work of one cluster, and is kept as a hash."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import clusters as rules
from tradewind_platform.domain.roles import ORGANIZATION, Permission
from tradewind_platform.security.token_hashes import hashed
from tradewind_platform.services.change import Change
from tradewind_platform.services.references import found_by
from tradewind_platform.store.cluster_tables import ClusterController, ClusterToken
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Cluster
from tradewind_protocol import ids
from tradewind_protocol.clusters import ClusterTokenCreated, ClusterTokenView, RotateClusterToken
from tradewind_protocol.errors import Code, Refused

_LAST_USED_EVERY: Final = timedelta(minutes=1)


def add(db: Session, cluster: Cluster, *, by: str, now: datetime) -> str:
    """A new value. It is in nothing but what is returned."""
    value = ids.new_secret(rules.PREFIX)
    db.add(
        ClusterToken(
            cluster_id=cluster.id,
            hash=hashed(value),
            prefix=value[: rules.SHOWN],
            created_at=now,
            created_by=by,
        )
    )
    db.flush()
    return value


def rotate(change: Change, reference: str, ask: RotateClusterToken) -> ClusterTokenCreated:
    """A new value; those before are good for the overlap, and not longer than they were."""
    row = _for_change(change, reference)
    until = change.now + timedelta(minutes=ask.overlap_minutes)
    for old in _values(change.db, row):
        old.until = until if old.until is None else min(old.until, until)
    value = add(change.db, row, by=change.caller.name, now=change.now)
    row.revision += 1
    return ClusterTokenCreated(**view(change.db, row).model_dump(), cluster=row.id, token=value)


def revoke(change: Change, reference: str) -> None:
    """No value opens anything from the commit on. Deployments of the cluster go on running."""
    row = _for_change(change, reference)
    for old in _values(change.db, row):
        change.db.delete(old)
    row.revision += 1


def view(db: Session, cluster: Cluster) -> ClusterTokenView:
    values = _values(db, cluster)
    newest = next((one for one in values if one.until is None), None)
    used = [one.last_used_at for one in values if one.last_used_at is not None]
    return ClusterTokenView(
        prefix="" if newest is None else newest.prefix,
        created_at=None if newest is None else newest.created_at,
        last_used_at=max(used, default=None),
        old_values_until=max((one.until for one in values if one.until is not None), default=None),
    )


def authenticate(store: Store, token: str, *, now: datetime) -> tuple[UUID, UUID]:
    """The organization and the cluster of a token. Raises Refused."""
    if not ids.has_form_of(token, rules.PREFIX):
        raise Refused(
            Code.TOKEN_MALFORMED,
            "this is not a cluster token",
            remedy=f"One begins with {rules.PREFIX}; `tradewind clusters add` prints it.",
        )
    with store.reading_all() as db:
        row = db.scalar(select(ClusterToken).where(ClusterToken.hash == hashed(token)))
        if row is None:
            raise Refused(
                Code.TOKEN_UNKNOWN,
                "the platform does not know this cluster token",
                remedy="It was revoked, or is another platform's: `tradewind clusters rotate-token NAME` makes one.",
            )
        if row.until is not None and row.until <= now:
            raise Refused(
                Code.TOKEN_EXPIRED, "the cluster token was rotated, and this is the value from before"
            )
        due = row.last_used_at is None or now - row.last_used_at >= _LAST_USED_EVERY
    if due:
        with store.transaction(row.organization_id) as db:
            if (stored := db.get(ClusterToken, row.id)) is not None:
                stored.last_used_at = now
    return row.organization_id, row.cluster_id


def _values(db: Session, cluster: Cluster) -> list[ClusterToken]:
    found = select(ClusterToken).where(ClusterToken.cluster_id == cluster.id)
    return list(db.scalars(found.order_by(ClusterToken.created_at, ClusterToken.id)))


def _for_change(change: Change, reference: str) -> Cluster:
    change.event.target = f"cluster:{reference}"
    change.require(Permission.CLUSTERS_UPDATE, ORGANIZATION)
    row = found_by(change.db, Cluster, reference, Cluster.name)
    if row is None:
        raise Refused(Code.NOT_FOUND, f"there is no cluster {reference!r}")
    change.event.target = f"cluster:{row.name}"
    change.expect(row.revision, f"the cluster {row.name!r}")
    if not change.db.scalar(select(ClusterController.id).where(ClusterController.cluster_id == row.id)):
        raise Refused(
            Code.CONFLICT,
            f"the cluster {row.name!r} is the platform's own machine, so it has no controller and no token",
        )
    change.event.changes = {"token": "changed"}
    return row
