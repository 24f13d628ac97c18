"""Purges that begin by themselves: when the retention of a deleted Deployment is over, and after one that failed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import purges as rules
from tradewind_platform.domain.operations import Kind, Phase, State
from tradewind_platform.store.tables import Deployment, Operation

MAY_BE_DUE: Final = select(Deployment.id, Deployment.phase).where(
    or_(
        Deployment.phase == Phase.PURGE_FAILED.value,
        and_(Deployment.phase == Phase.DELETED.value, Deployment.deleted_at <= bindparam("deleted_before")),
    )
)
"""What `due` looks at closely, for a parameter `deleted_before`."""
_ERASES: Final = [Kind.PURGE.value, Kind.CREATE.value]
"""Operations whose failure leaves a Deployment partly erased: a creation does when it was being undone."""


def due(db: Session, now: datetime, *, only: UUID | None = None) -> list[tuple[UUID, str]]:
    """Deployments whose purge shall begin at this moment, each with the reason: over all organizations, or `only` this one. Reads."""
    statement = MAY_BE_DUE if only is None else MAY_BE_DUE.where(Deployment.id == only)
    found = db.execute(statement, {"deleted_before": now - rules.RETENTION}).all()
    again = planned(db, [id for id, phase in found if phase == Phase.PURGE_FAILED])
    return [
        (id, "its purge has failed" if id in again else "its retention is over")
        for id, _ in found
        if id not in again or again[id] <= now
    ]


def planned(db: Session, deployments: Collection[UUID]) -> dict[UUID, datetime]:
    """When the purge of each of these Deployments begins again. They are those whose purge has failed."""
    if not deployments:
        return {}
    failed = (
        select(Operation.deployment_id, func.count(), func.max(Operation.ended_at))
        .where(
            Operation.deployment_id.in_(deployments),
            Operation.kind.in_(_ERASES),
            Operation.state == State.FAILED.value,
        )
        .group_by(Operation.deployment_id)
    )
    return {id: rules.next_try(at, failures) for id, failures, at in db.execute(failed) if at is not None}
