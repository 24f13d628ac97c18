"""The driver of a cluster whose controller connects to the platform: it hands out steps, and reads what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.clock import Clock
from tradewind_platform.domain.clusters import ControllerState, controller_state
from tradewind_platform.domain.health import ESSENTIAL, Condition, Status
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.operations import Kind
from tradewind_platform.reconciler import wire
from tradewind_platform.reconciler.driver import Document, StepFailed, StepWaits
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import cluster_work
from tradewind_platform.store.cluster_tables import ClusterDocument, ClusterTask
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Cluster
from tradewind_protocol.controllers import ObservedCondition

_AGAIN: Final = 0.5
"""Seconds between two looks for a result."""


@dataclass(frozen=True)
class RemoteDriver:
    """Keeps nothing in memory: a platform that is started again, or another one, goes on where this one was.

    A Deployment has one step at a time. The same step with the same document is handed out once, however often it is
    applied; a step of another operation waits until the lease of the one before is over.
    """

    store: Store
    ring: KeyRing = field(repr=False)
    organization: UUID
    cluster: UUID
    name: str
    clock: Clock

    def steps(self, kind: Kind) -> Sequence[str]:
        with self.store.reading(self.organization) as db:
            known = cluster_work.controller(db, self.cluster).steps
        # A controller whose driver does not know the operation refuses a step of this name, and says so.
        return tuple(known.get(kind.value) or (kind.value,))

    def undo(self, kind: Kind, failed: str) -> Sequence[str]:
        with self.store.reading(self.organization) as db:
            found = cluster_work.controller(db, self.cluster).undo
        return tuple(found.get(kind.value, {}).get(failed, ()))

    def apply(self, step: str, document: Document) -> Mapping[str, Any] | None:
        """The result that the controller has reported of the step. Raises StepWaits until it has."""
        text = wire.to_json(document)
        digest = wire.digest_of(f"{step}\n{text}")
        with self.store.transaction(self.organization) as db:
            self._forget_document(db, document)
            task = _task(db, document)
            if task is not None and (task.step, task.digest) != (step, digest):
                self._end_before_another(db, task)
                task = None
            if task is None:
                self._ask(db, step, digest, document, text)
            elif task.outcome:
                db.delete(task)
            waits = "" if task is not None and task.outcome else self._waits_for(db)
        if task is None or waits:
            raise StepWaits(waits, again=_AGAIN)
        if task.outcome == "waits":
            raise StepWaits(task.message, again=task.again)
        if task.outcome == "failed":
            raise StepFailed(task.message, final=task.final)
        return dict(task.facts)

    def keep(self, document: Document) -> None:
        """Let the controller start again what does not run, as long as no operation works on the Deployment."""
        self._hand_over(document, keep=True)

    def observe(self, document: Document) -> Sequence[Condition]:
        """What the controller reported last; unknown while it is lost, and until it has reported this document."""
        digest = self._hand_over(document, keep=None)
        with self.store.reading(self.organization) as db:
            state = controller_state(cluster_work.controller(db, self.cluster).beat_at, self.clock())
            row = _document(db, document)
        is_seen = row is not None and row.observed_digest == digest
        return self.conditions(document, state, row.conditions if row is not None and is_seen else None)

    def conditions(
        self, document: Document, state: ControllerState, reported: Mapping[str, Any] | None
    ) -> Sequence[Condition]:
        """What a report of the document says; None: it was not observed yet."""
        if state is not ControllerState.CONNECTED:
            return _unknown(document, self._lost())
        if reported is None:
            return _unknown(document, f"The controller of the cluster {self.name} has not observed it yet.")
        return wire.understood(ObservedCondition.model_validate(one) for one in reported["items"])

    # ---- steps

    def _ask(self, db: Session, step: str, digest: str, document: Document, text: str) -> None:
        id = new_id()
        db.add(
            ClusterTask(
                id=id,
                cluster_id=self.cluster,
                deployment_id=document.id,
                step=step,
                digest=digest,
                document=self.ring.encrypt(text, row=row_of(ClusterTask, id, "document")),
                outcome="",
                facts={},
                created_at=self.clock(),
            )
        )

    def _end_before_another(self, db: Session, task: ClusterTask) -> None:
        """Put another step in the place of one whose result is not awaited any more. Raises StepWaits while a process may do it."""
        busy = task.instance is not None and not task.outcome
        if busy and task.lease_until is not None and task.lease_until > self.clock():
            raise StepWaits(
                f"the controller of the cluster {self.name} still does the step {task.step}", again=2.0
            )
        db.delete(task)
        db.flush()

    def _waits_for(self, db: Session) -> str:
        state = controller_state(cluster_work.controller(db, self.cluster).beat_at, self.clock())
        if state is ControllerState.CONNECTED:
            return f"the controller of the cluster {self.name} does it"
        return self._lost()

    def _lost(self) -> str:
        return f"The controller of the cluster {self.name} does not connect: read its log, and `tradewind clusters get`."

    # ---- documents

    def _hand_over(self, document: Document, *, keep: bool | None) -> str:
        """The digest of the document that the controller has from now on. `keep` None: as it was."""
        text = wire.to_json(document)
        digest = wire.digest_of(text)
        with self.store.reading(self.organization) as db:
            row = _document(db, document)
            if row is not None and row.digest == digest and keep in (None, row.keep):
                return digest
        with self.store.transaction(self.organization) as db:
            if (row := _document(db, document)) is None:
                row = ClusterDocument(
                    id=new_id(),
                    cluster_id=self.cluster,
                    deployment_id=document.id,
                    keep=False,
                    conditions={},
                    observed_digest="",
                )
                db.add(row)
            row.digest, row.keep = digest, row.keep if keep is None else keep
            row.document = self.ring.encrypt(text, row=row_of(ClusterDocument, row.id, "document"))
        return digest

    def _forget_document(self, db: Session, document: Document) -> None:
        """While an operation works on it, the controller starts nothing of the Deployment again."""
        if (row := _document(db, document)) is not None:
            db.delete(row)


def driver_of(store: Store, ring: KeyRing, cluster: Cluster, clock: Clock) -> RemoteDriver:
    return RemoteDriver(store, ring, cluster.organization_id, cluster.id, cluster.name, clock)


def _task(db: Session, document: Document) -> ClusterTask | None:
    statement = select(ClusterTask).where(ClusterTask.deployment_id == document.id)
    return db.scalar(statement.with_for_update())


def _document(db: Session, document: Document) -> ClusterDocument | None:
    return db.scalar(select(ClusterDocument).where(ClusterDocument.deployment_id == document.id))


def _unknown(document: Document, why: str) -> list[Condition]:
    return [
        Condition(type, Status.UNKNOWN, "", why, observed_revision=document.revision)
        for type in sorted(ESSENTIAL)
    ]
