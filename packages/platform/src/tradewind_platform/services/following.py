"""Deployments that follow a minor of Airflow: upgraded to its newest release while a maintenance window is open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import following as rules
from tradewind_platform.domain import maintenance as windows_rules
from tradewind_platform.domain.catalogue import Offered
from tradewind_platform.domain.deploys import code_of
from tradewind_platform.domain.operations import Phase
from tradewind_platform.services import maintenance, operations
from tradewind_platform.services.upgrades import VERSION
from tradewind_platform.store.life_tables import Maintenance
from tradewind_platform.store.tables import Cluster, Deployment, DeploymentRevision

MAY_BE_DUE: Final = (
    select(
        Maintenance.id,
        Maintenance.deployment_id,
        Maintenance.follows,
        Maintenance.followed,
        Maintenance.windows,
        Cluster.driver,
        DeploymentRevision.spec,
    )
    .join(Deployment, Deployment.id == Maintenance.deployment_id)
    .join(Cluster, Cluster.id == Deployment.cluster_id)
    .join(
        DeploymentRevision,
        and_(
            DeploymentRevision.deployment_id == Deployment.id,
            DeploymentRevision.revision == Deployment.revision,
        ),
    )
    .where(Maintenance.follows != "", Deployment.phase == Phase.RUNNING.value, operations.IDLE)
)
"""What `due` looks at closely. Columns and no rows: it is asked once a minute, and there may be hundreds."""


@dataclass(frozen=True)
class Due:
    """A Deployment that is to be upgraded, and to which version."""

    deployment: UUID
    maintenance: UUID
    version: str


def due(db: Session, offered: Offered, now: datetime, *, only: UUID | None = None) -> list[Due]:
    """Upgrades that shall begin at this moment: over all organizations, or of `only` this Deployment. In one query. Each version is
    begun once by itself: after an upgrade that failed a person decides."""
    statement = MAY_BE_DUE if only is None else MAY_BE_DUE.where(Deployment.id == only)
    found = []
    for one in db.execute(statement.order_by(Deployment.id)).all():
        now_runs = str(one.spec.get(VERSION) or "")
        if not now_runs or code_of(one.spec).is_own:
            continue
        version = rules.next_version(now_runs, one.follows, offered.of(one.driver))
        if not version or version == one.followed:
            continue
        if windows_rules.is_open(maintenance.understood(one.windows), now):
            found.append(Due(one.deployment_id, one.id, version))
    return found
