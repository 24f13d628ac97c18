"""What the end of an operation means for its Deployment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.operations import Kind, Phase, State, Step, next_step
from tradewind_platform.reconciler import observations
from tradewind_platform.reconciler.driver import Driver
from tradewind_platform.services import configuration, operations, people, secrets
from tradewind_platform.store.life_tables import Backup
from tradewind_platform.store.tables import ApiToken, Deployment, DeploymentRevision, Operation, OperationStep


def steps_of(db: Session, operation: Operation) -> list[OperationStep]:
    found = select(OperationStep).where(OperationStep.operation_id == operation.id)
    return list(db.scalars(found.order_by(OperationStep.position)))


def add_steps(db: Session, operation: Operation, names: Iterable[str], *, first: int = 0) -> None:
    """Steps to be done, from the position `first` on."""
    db.add_all(
        OperationStep(
            organization_id=operation.organization_id,
            operation_id=operation.id,
            position=position,
            name=name,
            state=State.PENDING.value,
            tries=0,
            message="",
        )
        for position, name in enumerate(names, first)
    )
    db.flush()


def next_position(steps: Iterable[OperationStep]) -> int | None:
    """Of the step to do now; None when all have ended."""
    return next_step([Step(one.name, State(one.state), one.tries) for one in steps])


def end(db: Session, operation: Operation, deployment: Deployment, now: datetime) -> None:
    """Every step has ended: all of them succeeded, or one failed and what it left was undone."""
    kind = Kind(operation.kind)
    operation.unfinished, operation.ended_at = None, now
    if operation.error:
        operation.state = operation.arguments[operations.UNDONE]
        _settle_backup(db, operation, now)
        if kind is Kind.CREATE:
            deployment.phase = Phase.PURGED.value
            _forget(db, deployment, now)
            return
        deployment.phase = Phase.RUNNING.value
        _as_before(db, deployment, now)
        return
    operation.state = State.SUCCEEDED.value
    deployment.phase = kind.afterwards.value
    if kind.applies:
        deployment.observed_revision = operation.revision
    if kind.ends_processes:
        for condition in observations.conditions(db, deployment.id):
            db.delete(condition)
    if kind is Kind.PURGE:
        _forget(db, deployment, now)


def fail(
    db: Session, operation: Operation, step: OperationStep, message: str, undo: Sequence[str], now: datetime
) -> None:
    """A step has failed for good. With steps that undo it the operation goes on with them, else it has ended."""
    before = f"{operation.error}; then " if operation.error else ""
    operation.error = f"{before}{step.name}: {message}"
    if undo and not before:
        _undo(db, operation, undo, State.FAILED)
        return
    operation.state, operation.ended_at, operation.unfinished = State.FAILED.value, now, None
    _settle_backup(db, operation, now)
    deployment = db.get_one(Deployment, operation.deployment_id)
    kind = Kind(operation.kind)
    deployment.phase = (kind.after_failed_undo if before else kind.after_failure).value


def cancel(db: Session, operation: Operation, position: int, driver: Driver, now: datetime) -> bool:
    """Between two steps, of which the one at `position` is next: undo the operation if it was asked to end, or end it where it
    has changed nothing. Whether that was done; not past the point where it can be undone, and not twice."""
    if operation.cancelled_at is None or operations.UNDONE in operation.arguments:
        return False
    kind, steps = Kind(operation.kind), steps_of(db, operation)
    begun = next((one for one in reversed(steps) if one.state != State.PENDING), None)
    undo = () if begun is None else _undoing(driver, kind, begun.name)
    if begun is not None and not undo and kind in (Kind.UPGRADE, Kind.ROLLBACK):
        return False
    operation.error = f"cancelled by {operation.cancelled_by}"
    _undo(db, operation, undo, State.CANCELLED)
    if undo:
        return True
    deployment = db.get_one(Deployment, operation.deployment_id)
    operation.state, operation.ended_at, operation.unfinished = State.CANCELLED.value, now, None
    _settle_backup(db, operation, now)
    if begun is not None and kind.after_failure is Phase.FAILED:
        deployment.phase = Phase.FAILED.value  # a part of it is as asked for; the operation names the step
        operation.error += f" before the step {steps[position].name}"
    elif kind is Kind.CREATE:
        deployment.phase = Phase.PURGED.value
        _forget(db, deployment, now)
    else:
        deployment.phase = kind.before.value
        if kind is Kind.RESTORE:
            deployment.deleted_at = now  # its data is kept for its whole retention once more
        if deployment.observed_revision:
            _as_before(db, deployment, now)
    return True


def _undoing(driver: Driver, kind: Kind, step: str) -> Sequence[str]:
    """A Deployment that was never wholly made is erased."""
    return driver.steps(Kind.PURGE) if kind is Kind.CREATE else driver.undo(kind, step)


def _undo(db: Session, operation: Operation, undo: Sequence[str], end: State) -> None:
    """The steps that have not ended are skipped, those that undo the others come after them."""
    operation.arguments = {**operation.arguments, operations.UNDONE: end.value}
    steps = steps_of(db, operation)
    for one in steps:
        if not State(one.state).ended:
            one.state = State.SKIPPED.value
    add_steps(db, operation, undo, first=len(steps))


def _as_before(db: Session, deployment: Deployment, now: datetime) -> None:
    """A new revision with the specification that runs, when the one that was asked for was undone."""
    if deployment.revision == deployment.observed_revision:
        return
    revisions = {
        one.revision: one
        for one in db.scalars(
            select(DeploymentRevision).where(
                DeploymentRevision.deployment_id == deployment.id,
                DeploymentRevision.revision.in_((deployment.revision, deployment.observed_revision)),
            )
        )
    }
    deployment.revision += 1
    deployment.updated_at, deployment.updated_by = now, people.SYSTEM.name
    db.add(
        DeploymentRevision(
            organization_id=deployment.organization_id,
            deployment_id=deployment.id,
            revision=deployment.revision,
            spec=revisions[deployment.observed_revision].spec,
            author=people.SYSTEM.name,
            reason="the operation that applied the revision before failed and was undone",
            created_at=now,
        )
    )
    deployment.observed_revision = deployment.revision


def _settle_backup(db: Session, operation: Operation, now: datetime) -> None:
    """A backup that its operation has not made is none."""
    for row in db.scalars(select(Backup).where(Backup.operation_id == operation.id)):
        if row.ended_at is None:
            row.state, row.ended_at = State.FAILED.value, now


def _forget(db: Session, deployment: Deployment, now: datetime) -> None:
    deployment.live_name = None
    secrets.forget(db, deployment.id)
    configuration.forget(db, deployment.id)
    for backup in db.scalars(select(Backup).where(Backup.deployment_id == deployment.id)):
        db.delete(backup)
    for token in db.scalars(select(ApiToken).where(ApiToken.deployment_id == deployment.id)):
        token.deleted_at = token.deleted_at or now
