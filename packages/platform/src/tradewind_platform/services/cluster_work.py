"""What a controller is given to do, and what it says came of it."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.store.cluster_tables import ClusterController, ClusterDocument, ClusterTask
from tradewind_protocol.controllers import (
    STEP_LEASE_SECONDS,
    ControllerPoll,
    ControllerWork,
    KeptDocument,
    Observations,
    StepResult,
    StepTask,
)
from tradewind_protocol.errors import Code, Refused

_LEASE: Final = timedelta(seconds=STEP_LEASE_SECONDS)


def beat(db: Session, cluster: UUID, ask: ControllerPoll, now: datetime) -> None:
    """Keep what the controller says of itself, and give it its steps for another while."""
    row = controller(db, cluster)
    row.instance, row.version, row.beat_at = ask.instance, ask.version, now
    row.facts, row.sizes = dict(ask.facts), list(ask.sizes)
    if ask.steps:
        row.steps = {kind: list(steps) for kind, steps in ask.steps.items()}
        row.undo = {
            kind: {step: list(undone) for step, undone in by_step.items()}
            for kind, by_step in ask.undo.items()
        }
    for task in _tasks(db, cluster):
        if task.instance == ask.instance and task.id in ask.running:
            task.lease_until = now + _LEASE


def work(db: Session, ring: KeyRing, cluster: UUID, ask: ControllerPoll, now: datetime) -> ControllerWork:
    """Steps that no process of a controller does, now this one's, and the documents when they have changed.

    A step is handed out again to a process that was given it and does not name it: the answer was lost. Another
    process gets it once the lease is over.
    """
    handed = []
    for task in _tasks(db, cluster):
        mine = task.instance == ask.instance
        free = task.instance is None or (task.lease_until is not None and task.lease_until <= now)
        if task.outcome or (mine and task.id in ask.running) or not (mine or free):
            continue
        task.instance, task.lease_until = ask.instance, now + _LEASE
        document = json.loads(ring.decrypt(task.document, row=row_of(ClusterTask, task.id, "document")))
        handed.append(StepTask(id=task.id, step=task.step, document=document))
    etag = documents_etag(db, cluster)
    documents = None if etag == ask.etag else tuple(_documents(db, ring, cluster))
    return ControllerWork(etag=etag, tasks=tuple(handed), documents=documents)


def is_due(db: Session, cluster: UUID, ask: ControllerPoll, now: datetime) -> bool:
    """Whether `work` would have something. Reads only."""
    for task in _tasks(db, cluster):
        mine = task.instance == ask.instance
        free = task.instance is None or (task.lease_until is not None and task.lease_until <= now)
        if not task.outcome and not (mine and task.id in ask.running) and (mine or free):
            return True
    return documents_etag(db, cluster) != ask.etag


def finish(db: Session, cluster: UUID, task: UUID, result: StepResult) -> None:
    """Keep what came of a step. Raises Refused CONFLICT when it is not, or no longer, the process's: its result counts
    for nothing, and it shall forget the step."""
    row = db.get(ClusterTask, task)
    if row is None or row.cluster_id != cluster or row.instance != result.instance:
        raise Refused(Code.CONFLICT, "the step is not, or no longer, this process's")
    row.outcome, row.message, row.final = result.outcome, result.message, result.final
    row.again, row.facts = result.again, result.facts


def observed(db: Session, cluster: UUID, ask: Observations, now: datetime) -> None:
    """Keep what was observed. What a former document was observed for counts for nothing."""
    rows = {row.deployment_id: row for row in _document_rows(db, cluster)}
    for one in ask.items:
        row = rows.get(one.deployment)
        if row is not None and row.digest == one.digest:
            row.conditions = {"items": [condition.model_dump() for condition in one.conditions]}
            row.observed_digest, row.observed_at = one.digest, now


def controller(db: Session, cluster: UUID) -> ClusterController:
    return db.scalars(select(ClusterController).where(ClusterController.cluster_id == cluster)).one()


def documents_etag(db: Session, cluster: UUID) -> str:
    known = "\n".join(f"{row.deployment_id} {row.digest} {row.keep}" for row in _document_rows(db, cluster))
    return hashlib.sha256(known.encode()).hexdigest()[:32]


def _documents(db: Session, ring: KeyRing, cluster: UUID) -> list[KeptDocument]:
    return [
        KeptDocument(
            digest=row.digest,
            keep=row.keep,
            document=json.loads(ring.decrypt(row.document, row=row_of(ClusterDocument, row.id, "document"))),
        )
        for row in _document_rows(db, cluster)
    ]


def _tasks(db: Session, cluster: UUID) -> list[ClusterTask]:
    statement = select(ClusterTask).where(ClusterTask.cluster_id == cluster).order_by(ClusterTask.id)
    return list(db.scalars(statement.with_for_update() if db.info.get("writes") else statement))


def _document_rows(db: Session, cluster: UUID) -> list[ClusterDocument]:
    statement = select(ClusterDocument).where(ClusterDocument.cluster_id == cluster)
    return list(db.scalars(statement.order_by(ClusterDocument.deployment_id)))
