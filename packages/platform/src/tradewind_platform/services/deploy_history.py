"""The deploys that a Deployment has had."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import deploys as rules
from tradewind_platform.domain.operations import State
from tradewind_platform.domain.roles import Principal
from tradewind_platform.services import deployment_lookup, revisions
from tradewind_platform.services.change import Change
from tradewind_platform.store.deploy_tables import Deploy
from tradewind_platform.store.tables import Deployment, Operation
from tradewind_protocol.deploys import DeployView, GitFacts


def listed(db: Session, caller: Principal, reference: str) -> list[DeployView]:
    """The newest first."""
    row = deployment_lookup.found(db, caller, reference)
    found = of(db, row)
    present = current(found, revisions.applied(db, row))
    return [
        DeployView(
            id=one.id,
            deployment=row.id,
            operation=operation.id,
            status=rules.status_of(State(operation.state)).value,
            error=operation.error,
            digest=one.digest,
            image=one.image,
            airflow=one.airflow,
            description=one.description,
            git=GitFacts(**one.git) if one.git else None,
            is_current=present is not None and one.id == present.id,
            rolled_back_from=one.rolled_back_from,
            created_at=one.created_at,
            created_by=one.created_by,
        )
        for one, operation in found
    ]


def of(db: Session, row: Deployment) -> list[tuple[Deploy, Operation]]:
    """The newest first, each with its operation."""
    statement = (
        select(Deploy, Operation)
        .join(Operation, Operation.id == Deploy.operation_id)
        .where(Deploy.deployment_id == row.id)
        .order_by(Deploy.id.desc())
    )
    return [(one, operation) for one, operation in db.execute(statement)]


def current(deploys: list[tuple[Deploy, Operation]], spec: dict[str, Any]) -> Deploy | None:
    """The one whose code a specification names; None for the cluster's own environment."""
    id = (spec.get(rules.SPEC) or {}).get("id")
    return next((one for one, _ in deploys if str(one.id) == id), None)


def forget_old(change: Change, row: Deployment) -> set[str]:
    """Delete deploys that are older than history is kept, but not the present one. Returns the digests of the rest."""
    deploys = of(change.db, row)
    present = current(deploys, revisions.applied(change.db, row))
    kept = set()
    for one, _ in deploys:
        if one.created_at > change.now - rules.RETENTION or (present is not None and one.id == present.id):
            kept.add(one.digest)
        else:
            change.db.delete(one)
    return kept
