"""Deployments that follow a minor of Airflow: upgraded to its newest release while a maintenance window is open."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import following as rules
from tradewind_platform.domain import maintenance as windows_rules
from tradewind_platform.domain.catalogue import Offered
from tradewind_platform.domain.deploys import code_of
from tradewind_platform.domain.operations import Phase
from tradewind_platform.services import maintenance, revisions
from tradewind_platform.services.upgrades import VERSION
from tradewind_platform.store.life_tables import Maintenance
from tradewind_platform.store.tables import Cluster, Deployment

MAY_BE_DUE: Final = (
    select(Deployment, Maintenance, Cluster.driver)
    .join(Maintenance, Maintenance.deployment_id == Deployment.id)
    .join(Cluster, Cluster.id == Deployment.cluster_id)
    .where(Maintenance.follows != "", Deployment.phase == Phase.RUNNING.value)
)
"""What `due` looks at closely."""


def due(db: Session, offered: Offered, now: datetime) -> list[tuple[Deployment, Maintenance, str]]:
    """Who is to be upgraded at this moment, and to which version, over all organizations. Each version is begun once by itself: after
    an upgrade that failed a person decides."""
    found = []
    for row, one, driver in db.execute(MAY_BE_DUE.order_by(Deployment.id)).all():
        spec = revisions.of(db, row)
        now_runs = str(spec.get(VERSION) or "")
        if not now_runs or code_of(spec).is_own:
            continue
        version = rules.next_version(now_runs, one.follows, offered.of(driver))
        if (
            version
            and version != one.followed
            and windows_rules.is_open(maintenance.windows_of(db, row.id), now)
        ):
            found.append((row, one, version))
    return found
