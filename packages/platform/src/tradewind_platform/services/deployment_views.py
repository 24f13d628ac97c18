"""Deployments as they are shown: what was asked for, what is being done, and what was observed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import health as rules
from tradewind_platform.domain.health import Condition, ConditionType, Status
from tradewind_platform.domain.operations import Phase
from tradewind_platform.services import hibernation, workloads
from tradewind_platform.store.tables import (
    Cluster,
    Deployment,
    DeploymentCondition,
    DeploymentRevision,
    Operation,
    Workspace,
)
from tradewind_protocol.platform import ConditionView, DeploymentView, WorkloadView

RETENTION: Final = timedelta(days=14)
"""How long the data of a deleted Deployment is kept."""


def view(db: Session, row: Deployment, *, now: datetime) -> DeploymentView:
    return views(db, [row], now=now)[0]


def views(db: Session, rows: Sequence[Deployment], *, now: datetime) -> list[DeploymentView]:
    """In a number of queries that does not depend on how many there are. No Deployment is asked."""
    clusters_by_id = {one.id: one for one in db.scalars(select(Cluster))}
    workspaces_by_id = {one.id: one for one in db.scalars(select(Workspace))}
    one = rows[0].id if len(rows) == 1 else None
    running_now = select(Operation.deployment_id, Operation.id).where(Operation.unfinished.is_not(None))
    running = {row[0]: row[1] for row in db.execute(running_now)}
    specs = {
        (spec.deployment_id, spec.revision): spec.spec
        for spec in db.scalars(_of(select(DeploymentRevision), DeploymentRevision, one))
    }
    conditions: dict[UUID, list[DeploymentCondition]] = defaultdict(list)
    for condition in db.scalars(_of(select(DeploymentCondition), DeploymentCondition, one)):
        conditions[condition.deployment_id].append(condition)
    told = workloads.fresh(db, one, now=now)
    planned = hibernation.planned(db, one)
    return [
        _view(
            row,
            clusters_by_id[row.cluster_id],
            workspaces_by_id[row.workspace_id],
            specs[row.id, row.revision],
            conditions[row.id],
            running.get(row.id),
            told.get(row.id),
            planned.get(row.id),
        )
        for row in rows
    ]


def agent_url(cluster: Cluster, slug: str) -> str:
    return f"{cluster.agents_url}/{slug}"


def people_url(cluster: Cluster, slug: str) -> str:
    return cluster.people_url.replace("{slug}", slug)


def _of(statement: Any, table: Any, deployment: UUID | None) -> Any:
    return statement if deployment is None else statement.where(table.deployment_id == deployment)


_WORKING: Final = frozenset(
    {Phase.RUNNING, Phase.UPDATING, Phase.UPGRADING, Phase.RESTORING, Phase.FAILED, Phase.HIBERNATING}
)
"""In these phases what its Airflow has told last may still be so."""
_PLANNED: Final = frozenset({Phase.RUNNING, Phase.ASLEEP})
_ORDER: Final = [one.value for one in ConditionType]


def _view(
    row: Deployment,
    cluster: Cluster,
    workspace: Workspace,
    spec: dict[str, Any],
    conditions: Iterable[DeploymentCondition],
    operation: UUID | None,
    workload: WorkloadView | None,
    planned: tuple[str, datetime] | None,
) -> DeploymentView:
    conditions = sorted(conditions, key=lambda one: _ORDER.index(one.type))
    found = [Condition(ConditionType(one.type), Status(one.status), "", "-", "-") for one in conditions]
    if row.phase not in _WORKING or any(
        (one.type, one.status) == (ConditionType.API_SERVER_READY, Status.FALSE) for one in conditions
    ):
        workload = None
    purge_after = row.deleted_at + RETENTION if row.phase == Phase.DELETED and row.deleted_at else None
    event, event_at = planned if planned is not None and row.phase in _PLANNED else ("", None)
    if purge_after is not None:
        event, event_at = "purge", purge_after
    wrong = next((one for one in conditions if one.status == Status.FALSE), None)
    return DeploymentView(
        id=row.id,
        slug=row.slug,
        name=row.name,
        workspace=workspace.id,
        workspace_name=workspace.name,
        cluster=cluster.id,
        cluster_name=cluster.name,
        description=spec["description"],
        policy=spec["policy"],
        version=spec.get("version") or "",
        deletion_protection=row.deletion_protection,
        phase=row.phase,
        health=rules.health(found, asleep=row.phase == Phase.ASLEEP).value,
        health_reason="" if wrong is None else wrong.message,
        agent_url=agent_url(cluster, row.slug),
        people_url=people_url(cluster, row.slug),
        revision=row.revision,
        observed_revision=row.observed_revision,
        operation=operation,
        purge_after=purge_after,
        conditions=tuple(ConditionView.model_validate(one, from_attributes=True) for one in conditions),
        workload=workload,
        next_event=event,
        next_event_at=event_at,
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )
