"""A deploy of code that a Deployment has had."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain import deploys as rules
from tradewind_platform.domain.deploys import Code as DeployedCode
from tradewind_platform.domain.deploys import Status
from tradewind_platform.domain.operations import Kind, State
from tradewind_platform.services import (
    code_archives,
    deploy_history,
    deployment_lookup,
    operations,
    revisions,
)
from tradewind_platform.services.change import Change
from tradewind_platform.services.deploys import NewCode, begin
from tradewind_platform.store.deploy_tables import Deploy
from tradewind_platform.store.plane_archives import PlaneArchives
from tradewind_platform.store.tables import Deployment, DeploymentRevision, Operation
from tradewind_protocol.deploys import RollBack
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import OperationView


def roll_back(change: Change, archives: PlaneArchives | None, reference: str, ask: RollBack) -> OperationView:
    """Begin a deploy of what the Deployment has had. Refused when the database is of another version by now."""
    row = deployment_lookup.for_change(change, reference, operations.permission_for(Kind.DEPLOY))
    deploys = deploy_history.of(change.db, row)
    now = deploy_history.current(deploys, revisions.of(change.db, row))
    if now is None and ask.deploy is None:
        raise Refused(Code.CONFLICT, f"the Deployment {row.name!r} has no code of its own to roll back")
    old = _before(deploys, now) if ask.deploy is None else _chosen(row, deploys, ask.deploy)
    if old is None:
        new = NewCode(DeployedCode(), _own_version(change.db, row), ask.description, {})
    else:
        code = DeployedCode(old[0].digest, old[0].image)
        new = NewCode(code, old[0].airflow, ask.description, dict(old[0].git))
    if new.code.digest:
        code_archives.airflow_of(archives, row, new.code.digest)
    _require_same_heads(row, deploys, now, old)
    return begin(change, row, new, rolled_back_from=None if now is None else now.id)


def _before(deploys: list[tuple[Deploy, Operation]], now: Deploy | None) -> tuple[Deploy, Operation] | None:
    """The newest deploy before the present one that succeeded with other code; None for the cluster's own environment."""
    if now is None:
        return None
    return next(
        (
            (one, operation)
            for one, operation in deploys
            if one.id < now.id
            and rules.status_of(State(operation.state)) is Status.DEPLOYED
            and (one.digest, one.image) not in ((now.digest, now.image), ("", ""))
        ),
        None,
    )


def _chosen(row: Deployment, deploys: list[tuple[Deploy, Operation]], id: UUID) -> tuple[Deploy, Operation]:
    found = next((one for one in deploys if one[0].id == id), None)
    if found is None:
        raise Refused(Code.NOT_FOUND, f"the Deployment {row.name!r} has no deploy {str(id)!r}")
    if rules.status_of(State(found[1].state)) is not Status.DEPLOYED:
        raise Refused(
            Code.CONFLICT,
            f"the deploy {id} has never run",
            remedy="Choose one whose status is DEPLOYED: `tradewind project deploys list`.",
        )
    return found


def _require_same_heads(
    row: Deployment,
    deploys: list[tuple[Deploy, Operation]],
    now: Deploy | None,
    old: tuple[Deploy, Operation] | None,
) -> None:
    """Where both are known. The driver looks into the database, too, before it changes anything."""
    if now is None or old is None:
        return
    current = next(operation for one, operation in deploys if one.id == now.id)
    facts = (current.arguments.get(rules.HEADS, {}), old[1].arguments.get(rules.HEADS, {}))
    if differing := rules.differing(*facts):
        raise Refused(
            Code.CONFLICT,
            f"the database of {row.name!r} has other migrations than that code: {'; '.join(differing)}",
            remedy="Restore a backup of that time, which brings its code back, too: `tradewind deployments rollback`.",
        )


def _own_version(db: Session, row: Deployment) -> str:
    """The version of Airflow that the Deployment had without code of its own."""
    statement = (
        select(DeploymentRevision.spec)
        .where(DeploymentRevision.deployment_id == row.id)
        .order_by(DeploymentRevision.revision.desc())
    )
    specs: list[dict[str, Any]] = list(db.scalars(statement))
    return next((str(one.get("version") or "") for one in specs if not rules.code_of(one).is_own), "")
