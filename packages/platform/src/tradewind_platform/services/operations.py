"""Operations: begun by a change, carried out by the reconciler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, not_, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.operations import Kind, Phase, State, Step, may_be_cancelled, may_begin
from tradewind_platform.domain.roles import Permission, Principal
from tradewind_platform.services import deployment_lookup
from tradewind_platform.services.change import Change
from tradewind_platform.services.references import uuid_of
from tradewind_platform.store.tables import Deployment, Operation, OperationStep
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.operator import Page
from tradewind_protocol.platform import OperationView, StepView

_NEEDS: Final = {
    Kind.CREATE: Permission.DEPLOYMENT_CREATE,
    Kind.UPDATE: Permission.CONFIG_UPDATE,
    Kind.DELETE: Permission.DEPLOYMENT_DELETE,
    Kind.RESTORE: Permission.DEPLOYMENT_DELETE,
    Kind.PURGE: Permission.DEPLOYMENT_DELETE,
    Kind.HIBERNATE: Permission.DEPLOYMENT_HIBERNATE,
    Kind.WAKE: Permission.DEPLOYMENT_HIBERNATE,
    Kind.UPGRADE: Permission.DEPLOYMENT_UPGRADE,
    Kind.BACKUP: Permission.DEPLOYMENT_UPGRADE,
    Kind.ROLLBACK: Permission.DEPLOYMENT_UPGRADE,
    Kind.PREFLIGHT: Permission.DEPLOYMENT_UPGRADE,
    Kind.CLEAN: Permission.DEPLOYMENT_UPGRADE,
    Kind.DEPLOY: Permission.DEPLOYS_CREATE,
}


IDLE: Final = not_(
    select(Operation.id).where(Operation.unfinished == Deployment.id).correlate(Deployment).exists()
)
"""Of a query for Deployments: no operation of it runs."""

_INSTEAD: Final = {
    Phase.PURGE_FAILED: "A part of its data is erased. Correct what its last operation names, and repeat the purge: "
    "`tradewind deployments purge NAME`."
}
"""What can be done in a phase in which hardly anything can."""

UNDONE: Final = "undone"
"""The argument of an operation whose steps were undone, and the end that it has then: failed or cancelled."""


def permission_for(kind: Kind) -> Permission:
    """What a caller needs to ask for it, on the Deployment, or on its workspace for one that is created."""
    return _NEEDS[kind]


def begin(
    db: Session,
    row: Deployment,
    kind: Kind,
    *,
    by: str,
    now: datetime,
    arguments: Mapping[str, Any] | None = None,
) -> Operation:
    """Write the operation in the transaction of the change. Raises Refused CONFLICT while another one runs, and in a phase
    in which it makes no sense."""
    require_idle(db, row)
    if not may_begin(kind, Phase(row.phase)):
        raise Refused(
            Code.CONFLICT,
            f"the Deployment {row.name!r} is {row.phase}, so there is nothing to {kind.value}",
            remedy=_INSTEAD.get(Phase(row.phase), ""),
        )
    row.phase = kind.meanwhile.value
    made = Operation(
        organization_id=row.organization_id,
        deployment_id=row.id,
        unfinished=row.id,
        kind=kind.value,
        state=State.PENDING.value,
        revision=row.revision,
        error="",
        arguments=dict(arguments or {}),
        created_at=now,
        created_by=by,
    )
    db.add(made)
    db.flush()
    return made


def require_idle(db: Session, row: Deployment) -> None:
    """Raises Refused CONFLICT, which names it, while an operation of the Deployment runs."""
    running = db.scalar(select(Operation).where(Operation.unfinished == row.id))
    if running is not None:
        raise Refused(
            Code.CONFLICT,
            f"the operation {running.kind} of the Deployment {row.name!r} has not ended",
            remedy=f"Wait for it: `tradewind operations wait {running.id}`.",
            operation=str(running.id),
        )


def begun(
    change: Change, row: Deployment, kind: Kind, *, arguments: Mapping[str, Any] | None = None
) -> OperationView:
    """Begin it as a part of the change. Raises Refused as `begin`."""
    made = begin(change.db, row, kind, by=change.caller.name, now=change.now, arguments=arguments)
    row.updated_at, row.updated_by = change.now, change.caller.name
    change.begun = True
    change.db.flush()
    return view(change.db, made, row)


def for_change(change: Change, reference: str) -> tuple[Operation, Deployment]:
    """The operation that a change is about, which its event names, and its Deployment. Raises Refused NOT_FOUND."""
    change.event.target = f"operation:{reference}"
    row, deployment = _found(change.db, change.caller, reference)
    change.event.workspace, change.event.deployment = deployment.workspace_id, deployment.id
    return row, deployment


def get(db: Session, caller: Principal, reference: str) -> OperationView:
    return view(db, *_found(db, caller, reference))


def listed(
    db: Session, caller: Principal, *, deployment: str | None, limit: int, offset: int
) -> Page[OperationView]:
    """Operations of the Deployments that the caller may see, the newest first."""
    seen = {
        row.id: row
        for row in db.scalars(select(Deployment))
        if caller.may(Permission.DEPLOYMENT_GET, deployment_lookup.target(row))
    }
    if deployment is not None:
        wanted = deployment_lookup.found(db, caller, deployment).id
        seen = {id: row for id, row in seen.items() if id == wanted}
    where = Operation.deployment_id.in_(seen)
    total = db.scalar(select(func.count()).select_from(Operation).where(where)) or 0
    rows = db.scalars(
        select(Operation).where(where).order_by(Operation.id.desc()).limit(limit).offset(offset)
    )
    items = tuple(view(db, row, seen[row.deployment_id]) for row in rows)
    return Page[OperationView](items=items, total=total, limit=limit, offset=offset)


def view(db: Session, row: Operation, deployment: Deployment) -> OperationView:
    steps = steps_of(db, row)
    known = [Step(one.name, State(one.state), one.tries) for one in steps]
    goes_on = row.unfinished is not None and row.cancelled_at is None and UNDONE not in row.arguments
    return OperationView(
        id=row.id,
        deployment=row.deployment_id,
        deployment_name=deployment.name,
        workspace=deployment.workspace_id,
        kind=row.kind,
        state=row.state,
        error=row.error,
        facts=row.arguments,
        steps=tuple(StepView.model_validate(step, from_attributes=True) for step in steps),
        created_at=row.created_at,
        created_by=row.created_by,
        started_at=row.started_at,
        ended_at=row.ended_at,
        cancelled_at=row.cancelled_at,
        cancelled_by=row.cancelled_by or "",
        may_be_cancelled=goes_on and may_be_cancelled(Kind(row.kind), known),
    )


def steps_of(db: Session, row: Operation) -> Sequence[OperationStep]:
    """In their order."""
    return db.scalars(
        select(OperationStep).where(OperationStep.operation_id == row.id).order_by(OperationStep.position)
    ).all()


def _found(db: Session, caller: Principal, reference: str) -> tuple[Operation, Deployment]:
    id: UUID | None = uuid_of(reference)
    row = None if id is None else db.get(Operation, id)
    deployment = None if row is None else db.get_one(Deployment, row.deployment_id)
    if (
        row is None
        or deployment is None
        or not caller.may(Permission.DEPLOYMENT_GET, deployment_lookup.target(deployment))
    ):
        raise Refused(Code.NOT_FOUND, f"there is no operation {reference!r}")
    return row, deployment
