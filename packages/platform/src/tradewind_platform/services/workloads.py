"""How many agents Deployments have and how much work: reported by their Airflow, so that a list asks none of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.token_expiry import TokenExpiry, plausible
from tradewind_platform.store.life_tables import DeploymentWorkload
from tradewind_protocol.access import ExpiringToken, Workload
from tradewind_protocol.platform import WorkloadView

FRESH: Final = timedelta(minutes=15)
"""A Deployment tells its workload every five minutes at the least. What is older is not shown."""


def note(db: Session, deployment: UUID, reported: Workload, *, now: datetime) -> None:
    """Keep what a Deployment reports, in the place of its last report."""
    row = db.scalar(select(DeploymentWorkload).where(DeploymentWorkload.deployment_id == deployment))
    if row is None:
        row = DeploymentWorkload(deployment_id=deployment)
        db.add(row)
    row.agents, row.healthy_agents = reported.agents, reported.healthy_agents
    row.running, row.queued, row.at = reported.running, reported.queued, now
    row.access_age, row.knows_permissions = reported.access_age, reported.knows_permissions
    row.database_bytes = reported.database_bytes
    row.expiring_tokens = None if reported.expiring_tokens is None else _kept(reported.expiring_tokens, now)


def _kept(reported: Iterable[ExpiringToken], now: datetime) -> list[dict[str, str]]:
    tokens = [TokenExpiry(one.name, one.issued_at, one.expires_at) for one in reported]
    return [
        {
            "name": one.name,
            "issued_at": one.issued_at.isoformat(),
            "expires_at": one.expires_at.isoformat(),
        }
        for one in plausible(tokens, now)
    ]


def expiring_tokens(db: Session, deployments: Collection[UUID]) -> dict[UUID, list[TokenExpiry]]:
    """The agent tokens of these Deployments that expire soon, as they were reported last: an end stays where it is while a Deployment
    sleeps, or tells nothing."""
    table = DeploymentWorkload
    wanted = select(table.deployment_id, table.expiring_tokens).where(table.deployment_id.in_(deployments))
    return {
        id: [
            TokenExpiry(
                one["name"],
                datetime.fromisoformat(one["issued_at"]),
                datetime.fromisoformat(one["expires_at"]),
            )
            for one in reported
        ]
        for id, reported in db.execute(wanted)
        if reported
    }


def fresh(db: Session, deployments: Collection[UUID], *, now: datetime) -> dict[UUID, WorkloadView]:
    """What these Deployments have reported lately, by their ids."""
    table = DeploymentWorkload
    wanted = select(
        table.deployment_id,
        table.agents,
        table.healthy_agents,
        table.running,
        table.queued,
        table.database_bytes,
        table.at,
    ).where(table.at > now - FRESH, table.deployment_id.in_(deployments))
    return {
        id: WorkloadView(
            agents=agents, healthy_agents=healthy, running=running, queued=queued, database_bytes=bytes, at=at
        )
        for id, agents, healthy, running, queued, bytes, at in db.execute(wanted)
    }
