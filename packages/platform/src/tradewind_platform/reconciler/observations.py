"""Writes what a driver observed of a Deployment."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import health
from tradewind_platform.domain.health import Condition, ConditionType, Status
from tradewind_platform.store.tables import DeploymentCondition


def conditions(db: Session, deployment: UUID) -> list[DeploymentCondition]:
    return list(
        db.scalars(select(DeploymentCondition).where(DeploymentCondition.deployment_id == deployment))
    )


def write(
    db: Session, organization: UUID, deployment: UUID, observed: Iterable[Condition], now: datetime
) -> None:
    rows = {ConditionType(row.type): row for row in conditions(db, deployment)}
    before = {
        type: Condition(
            type, Status(row.status), row.reason, row.message or "-", row.remedy or "-", row.since
        )
        for type, row in rows.items()
    }
    for type, one in health.merged(before, observed, now=now).items():
        row = rows.get(type)
        if row is None:
            row = DeploymentCondition(organization_id=organization, deployment_id=deployment, type=type.value)
            db.add(row)
        row.status, row.reason, row.message, row.remedy = (
            one.status.value,
            one.reason,
            one.message,
            one.remedy,
        )
        row.since, row.observed_revision = one.since or now, one.observed_revision
