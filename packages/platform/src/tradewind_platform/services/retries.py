"""Operations that have failed, begun again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.operations import CONFIGURE, Kind, State
from tradewind_platform.services import (
    deployment_lookup,
    effective_configuration,
    operations,
    revisions,
)
from tradewind_platform.services.change import Change
from tradewind_platform.store.tables import Deployment, Operation, OperationStep
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import OperationView


def retry(change: Change, reference: str) -> OperationView:
    """Begin a failed operation again, at the step that failed. Where options or variables were set since it gave the processes theirs, it
    gives them these: it begins again with that step. Refused when another operation came after it."""
    row, deployment = operations.for_change(change, reference)
    kind = Kind(row.kind)
    change.require(operations.permission_for(kind), deployment_lookup.target(deployment))
    deployment = change.db.get_one(Deployment, deployment.id, with_for_update={"key_share": True})
    change.db.refresh(row)
    later = select(Operation.id).where(Operation.deployment_id == deployment.id, Operation.id > row.id)
    if row.state != State.FAILED or operations.UNDONE in row.arguments or change.db.scalar(later) is not None:
        raise Refused(
            Code.CONFLICT,
            f"the operation {row.id} is {row.state}, was undone, or is not the last one of the Deployment {deployment.name!r}",
            remedy="The last operation of a Deployment can be retried once it has failed. Ask again for one that was undone.",
        )
    steps = operations.steps_of(change.db, row)
    again = [step for step in steps if step.state == State.FAILED]
    if kind.applies:
        if (given := _settings_given(change.db, deployment, steps)) is not None:
            again = [step for step in steps if step.position >= given.position]
            if row.revision == deployment.revision:
                # Another one, so that processes which have the former settings already are started anew.
                revisions.add(change, deployment, revisions.of(change.db, deployment))
        # Newer ones are the same, but for what needs no operation: a description, another workspace.
        row.revision = deployment.revision
    row.state, row.unfinished, row.error, row.ended_at = State.PENDING.value, deployment.id, "", None
    deployment.phase = kind.meanwhile.value
    for step in again:
        step.state, step.tries, step.started_at, step.ended_at = State.PENDING.value, 0, None, None
    change.begun = True
    change.db.flush()
    return operations.view(change.db, row, deployment)


def _settings_given(
    db: Session, deployment: Deployment, steps: Sequence[OperationStep]
) -> OperationStep | None:
    """The step that has given the processes their settings, where others count by now."""
    step = next((one for one in steps if one.name == CONFIGURE and one.state == State.SUCCEEDED), None)
    if step is None or step.started_at is None:
        return None
    return step if effective_configuration.has_changed_since(db, deployment, step.started_at) else None
