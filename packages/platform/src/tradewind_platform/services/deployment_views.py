"""Deployments as they are shown: what was asked for, what is being done, and what was observed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import health as rules
from tradewind_platform.domain import token_expiry
from tradewind_platform.domain.health import ConditionType, Status
from tradewind_platform.domain.operations import Phase
from tradewind_platform.domain.purges import RETENTION
from tradewind_platform.domain.token_expiry import TokenExpiry
from tradewind_platform.services import hibernation, purges, workloads
from tradewind_platform.store.tables import (
    Cluster,
    Deployment,
    DeploymentCondition,
    DeploymentRevision,
    Operation,
    Workspace,
)
from tradewind_protocol.platform import ConditionView, DeploymentView, WorkloadView


def view(db: Session, row: Deployment, *, now: datetime) -> DeploymentView:
    return views(db, [row], now=now)[0]


def views(db: Session, rows: Sequence[Deployment], *, now: datetime) -> list[DeploymentView]:
    """In a number of queries that does not depend on how many there are. No Deployment is asked.

    Columns are read and not rows: to make objects of them takes most of the time of a long list.
    """
    ids = [row.id for row in rows]
    clusters_by_id = {one.id: one for one in db.scalars(select(Cluster))}
    workspaces_by_id = {one.id: one for one in db.scalars(select(Workspace))}
    running_now = select(Operation.deployment_id, Operation.id).where(Operation.unfinished.in_(ids))
    running = {row[0]: row[1] for row in db.execute(running_now)}
    specs = _specs(db, ids)
    conditions = _conditions(db, ids)
    expiring = workloads.expiring_tokens(db, ids)
    workload_of = workloads.fresh(db, ids, now=now)
    for row in rows:
        conditions[row.id] += _of_agent_tokens(row, expiring.get(row.id, ()), now)
    planned = hibernation.planned(db, ids)
    purged_again = purges.planned(db, [row.id for row in rows if row.phase == Phase.PURGE_FAILED])
    return [
        _view(
            row,
            _Facts(
                clusters_by_id[row.cluster_id],
                workspaces_by_id[row.workspace_id],
                specs[row.id],
                conditions[row.id],
                running.get(row.id),
                workload_of.get(row.id),
                planned.get(row.id),
                purged_again.get(row.id),
            ),
        )
        for row in rows
    ]


def _specs(db: Session, ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """The newest specification of each Deployment."""
    newest = select(DeploymentRevision.deployment_id, DeploymentRevision.spec).join(
        Deployment,
        and_(
            Deployment.id == DeploymentRevision.deployment_id,
            Deployment.revision == DeploymentRevision.revision,
        ),
    )
    return {row[0]: row[1] for row in db.execute(newest.where(Deployment.id.in_(ids)))}


def _conditions(db: Session, ids: Collection[UUID]) -> dict[UUID, list[ConditionView]]:
    """In the order in which a person looks for a cause."""
    table = DeploymentCondition
    wanted = select(
        table.deployment_id,
        table.type,
        table.status,
        table.reason,
        table.message,
        table.remedy,
        table.since,
        table.observed_revision,
    ).where(table.deployment_id.in_(ids))
    found: dict[UUID, list[ConditionView]] = defaultdict(list)
    for id, type, status, reason, message, remedy, since, revision in db.execute(wanted):
        found[id].append(
            ConditionView(
                type=type,
                status=status,
                reason=reason,
                message=message,
                remedy=remedy,
                since=since,
                observed_revision=revision,
            )
        )
    for conditions in found.values():
        conditions.sort(key=lambda one: _ORDER[one.type])
    return found


def _of_agent_tokens(row: Deployment, tokens: Iterable[TokenExpiry], now: datetime) -> list[ConditionView]:
    """Computed whenever it is shown: its state changes with the time, and with nothing that is written."""
    found = token_expiry.condition(row.name, tokens, now) if row.phase in _HAS_AGENTS else None
    if found is None:
        return []
    return [
        ConditionView(
            type=found.type.value,
            status=found.status.value,
            reason=found.reason,
            message=found.message,
            remedy=found.remedy,
            since=found.since or now,
            observed_revision=row.observed_revision,
        )
    ]


def agent_url(cluster: Cluster, slug: str) -> str:
    return f"{cluster.agents_url}/{slug}"


def people_url(cluster: Cluster, slug: str) -> str:
    return cluster.people_url.replace("{slug}", slug)


_WORKING: Final = frozenset(
    {Phase.RUNNING, Phase.UPDATING, Phase.UPGRADING, Phase.RESTORING, Phase.FAILED, Phase.HIBERNATING}
)
"""In these phases what its Airflow has reported last may still be so."""
_HAS_AGENTS: Final = _WORKING | {Phase.ASLEEP, Phase.WAKING}
_PLANNED: Final = frozenset({Phase.RUNNING, Phase.ASLEEP})
_ORDER: Final = {one.value: position for position, one in enumerate(ConditionType)}


@dataclass(frozen=True)
class _Facts:
    """What other tables have of a Deployment."""

    cluster: Cluster
    workspace: Workspace
    spec: dict[str, Any]
    conditions: Sequence[ConditionView]
    operation: UUID | None  # that runs
    workload: WorkloadView | None
    planned: tuple[str, datetime] | None
    """What its schedule does next, and when."""
    purged_again: datetime | None
    """When a purge that failed is tried again."""


def _view(row: Deployment, facts: _Facts) -> DeploymentView:
    cluster, spec = facts.cluster, facts.spec
    found = {ConditionType(one.type): Status(one.status) for one in facts.conditions}
    is_old = row.phase not in _WORKING or found.get(ConditionType.API_SERVER_READY) is Status.FALSE
    purge_after = row.deleted_at + RETENTION if row.phase == Phase.DELETED and row.deleted_at else None
    event, event_at = _next_event(row, facts, purge_after)
    wrong = next((one for one in facts.conditions if one.status == Status.FALSE), None)
    return DeploymentView(
        id=row.id,
        slug=row.slug,
        name=row.name,
        workspace=facts.workspace.id,
        workspace_name=facts.workspace.name,
        cluster=cluster.id,
        cluster_name=cluster.name,
        description=spec["description"],
        contact_emails=tuple(spec.get("contact_emails", ())),
        policy=spec["policy"],
        size=spec.get("size", ""),
        version=spec.get("version") or "",
        deletion_protection=row.deletion_protection,
        phase=row.phase,
        health=rules.health(found, asleep=row.phase == Phase.ASLEEP).value,
        health_reason="" if wrong is None else wrong.message,
        agent_url=agent_url(cluster, row.slug),
        people_url=people_url(cluster, row.slug),
        revision=row.revision,
        observed_revision=row.observed_revision,
        operation=facts.operation,
        purge_after=purge_after,
        conditions=tuple(facts.conditions),
        workload=None if is_old else facts.workload,
        next_event=event,
        next_event_at=event_at,
        created_at=row.created_at,
        created_by=row.created_by,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def _next_event(row: Deployment, facts: _Facts, purge_after: datetime | None) -> tuple[str, datetime | None]:
    """What the platform does next by itself, and when; empty for nothing."""
    if (purge_at := purge_after or facts.purged_again) is not None:
        return "purge", purge_at
    if facts.planned is not None and row.phase in _PLANNED:
        return facts.planned
    return "", None
