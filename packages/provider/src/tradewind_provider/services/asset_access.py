"""An asset's event starts Dags of other sites only where a grant says so."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from sqlalchemy.orm import Session

from tradewind_protocol.operator import SiteAccess
from tradewind_provider.airflow import audit_log
from tradewind_provider.airflow.assets import AssetChange
from tradewind_provider.clock import utc_now
from tradewind_provider.services import audit, site_grants, work_routes

log = logging.getLogger(__name__)


def admit(db: Session, change: AssetChange, dags: Mapping[str, str]) -> Collection[str]:
    """Of Dags and their bundles, those that the change may start: Dags of the site it came from, and of sites that have a
    grant to consume it. What the plane's own Dags write starts any Dag. Every other Dag gets a line in its audit log in
    Airflow that says what an administrator can do."""
    admitted = set()
    for dag_id, bundle in dags.items():
        if may_reach(db, change, bundle):
            admitted.add(dag_id)
        else:
            _refuse(db, change, dag_id, work_routes.site_of(db, bundle), _producer(db, change))
    return admitted


def may_reach(db: Session, change: AssetChange, bundle: str) -> bool:
    """Whether Dags of that bundle learn of the change: by the same rule."""
    if change.site is None and change.bundle is not None and work_routes.is_planes(db, change.bundle):
        return True
    producer, consumer = _producer(db, change), work_routes.site_of(db, bundle)
    return consumer is not None and (
        consumer == producer or site_grants.allow(db, consumer, producer, SiteAccess.CONSUME)
    )


def _producer(db: Session, change: AssetChange) -> str | None:
    return change.site or work_routes.site_of(db, str(change.bundle))


def _refuse(
    db: Session, change: AssetChange, dag_id: str, consumer: str | None, producer: str | None
) -> None:
    source = f"Dag {change.dag_id!r}" if change.dag_id else "a trigger"
    reason = (
        f"an event of asset {change.asset!r} by {source} of site {producer!r} does not start Dag {dag_id!r} of site "
        f"{consumer!r}: the sites have no grant for it"
    )
    remedy = site_grants.remedy(str(consumer), producer, SiteAccess.CONSUME)
    log.warning("%s; %s", reason, remedy, extra={"action": "asset_not_consumed"})
    audit_log.write(
        db,
        event="tradewind_asset_not_consumed",
        owner=audit.PLANE,
        extra={"reason": reason, "remedy": remedy},
        now=utc_now(),
        dag_id=dag_id,
    )
