"""Carries out operations step by step, while an observer keeps the Deployments that run.

Each step is marked as begun before it is done, and as succeeded afterwards. A reconciler that is killed in between does it
again when it is back. One reconciler works on a database.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tradewind_platform.clock import Clock, utc_now
from tradewind_platform.domain.catalogue import Offered
from tradewind_platform.domain.operations import Kind, State
from tradewind_platform.reconciler import endings, masking, remote
from tradewind_platform.reconciler.claims import Claims
from tradewind_platform.reconciler.documents import BACKUP, document_of
from tradewind_platform.reconciler.driver import Document, Driver, StepFailed, StepWaits
from tradewind_platform.reconciler.observer import Observer
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services import clusters
from tradewind_platform.store.leadership import Alone, Leadership
from tradewind_platform.store.life_tables import Backup
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Cluster, Deployment, Operation

log = logging.getLogger(__name__)

TRIES: Final = 5
"""Of a step, until its operation has failed."""
_PAUSES: Final = (1.0, 2.0, 5.0, 10.0)  # seconds between the tries
_SOON: Final = timedelta(seconds=1)
"""After so long an operation is looked at again that was kept from its next step."""
_AT_ONCE: Final = 4  # operations

UNFINISHED: Final = select(Operation.id).where(Operation.unfinished > UUID(int=0))
"""Asked again and again. SQLite looks into an index for what is greater, and reads every operation that ever was for what is not null."""


@dataclass
class Reconciler:
    """Works on one database with the drivers of its clusters, by name."""

    store: Store
    ring: KeyRing
    drivers: Mapping[str, Driver]
    clock: Clock = utc_now
    offered: Offered = field(default_factory=Offered)
    """The versions that a Deployment which follows a minor is upgraded to by itself."""
    observe_every: float = 5.0
    leadership: Leadership = field(default_factory=Alone)
    """Of several processes on one database only the one that leads works."""
    _wake: threading.Event = field(default_factory=threading.Event)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _claims: Claims = field(default_factory=Claims)
    _not_before: dict[UUID, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.observer = Observer(
            self.store,
            self.ring,
            self.clock,
            self.offered,
            self._driver_of,
            self._leads,
            self._claims,
            self.wake,
            self._stopping,
        )

    def wake(self) -> None:
        """Look for operations now."""
        self._wake.set()

    def stop(self) -> None:
        """Let `run` return once each step that has begun has ended."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Work until `stop`."""
        observing = threading.Thread(target=self.observer.run, args=[self.observe_every], name="observer")
        observing.start()
        queued: set[UUID] = set()
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="operation") as pool:
            while not self._stopping.is_set():
                self._wake.clear()
                now = self.clock()
                for id in self._due_here(now):
                    if id not in queued:
                        queued.add(id)
                        pool.submit(self.carry_out, id).add_done_callback(partial(self._left, queued, id))
                self._wake.wait(self.seconds_to_next_look(now))
        observing.join()
        self.leadership.resign()

    def _left(self, queued: set[UUID], id: UUID, done: Future[None]) -> None:
        """It has ended, or waits for its next try."""
        queued.discard(id)
        if (error := done.exception()) is not None:
            log.error("an operation stopped", exc_info=error, extra={"action": "operation_stopped"})
            self._not_before[id] = self.clock() + _SOON
        self._wake.set()

    def seconds_to_next_look(self, now: datetime) -> float:
        """Unless it is woken up: until the next try of a step comes, or another process may have begun an operation."""
        waits = [(at - now).total_seconds() for at in self._not_before.copy().values() if at > now]
        return min([*waits, self.store.look_every])

    def _due_here(self, now: datetime) -> Iterable[UUID]:
        """What is due, when this process leads."""
        try:
            return self.due(now) if self._leads() else ()
        except SQLAlchemyError as error:
            log.warning(
                "the database does not answer: %s", type(error).__name__, extra={"action": "database_away"}
            )
            return ()

    def _leads(self) -> bool:
        """One that has no driver for a Deployment there is leaves the work to another process, all of it."""
        if not self.drivers:
            with self.store.reading_all() as db:
                able = clusters.has_only_controllers(db)
            if not able:
                self.leadership.resign()
                return False
        return self.leadership.holds()

    def carry_out_all(self) -> None:
        """Every operation that is there, one after the other, without pauses between tries, until each has ended or waits: for
        tests."""
        while due := self._unfinished():
            for id in due:
                self.carry_out(id)
            if all(self._waiting(id) for id in due):
                return

    # ---- operations

    def _unfinished(self) -> list[UUID]:
        """The oldest first."""
        with self.store.looking() as db:
            return sorted(db.scalars(UNFINISHED))

    def _waiting(self, id: UUID) -> bool:
        """Whether it waits for something outside: the step that it is at has no try."""
        with self.store.reading_all() as db:
            operation = db.get_one(Operation, id)
            return operation.unfinished is not None and any(
                one.state == State.RUNNING and one.tries == 0 for one in endings.steps_of(db, operation)
            )

    def due(self, now: datetime) -> Iterable[UUID]:
        """Operations that have something to do now, the oldest first."""
        return [id for id in self._unfinished() if self._not_before.get(id, now) <= now]

    def carry_out(self, id: UUID) -> None:
        """Do the steps of an operation until it has ended, or has to wait for its next try."""
        with self.store.reading_all() as db:
            row = db.get_one(Operation, id)
        self._not_before.pop(id, None)
        with self._claims.alone_with(row.deployment_id) as alone:
            if not alone:
                self._not_before[id] = self.clock() + _SOON
                return
            try:
                while not self._stopping.is_set() and self._do_a_step(id):
                    pass
            finally:
                self.observer.was_worked_on(row.deployment_id)

    def _do_a_step(self, id: UUID) -> bool:
        """Whether there may be another step to do now."""
        if not self.leadership.holds():
            return False
        begun = self._begin(id)
        if begun is None:
            return False
        driver, position, name, document = begun
        log.info("%s: step %s of operation %s", document.slug, name, id, extra={"action": "step_begun"})
        failure: StepFailed | None = None
        facts: Mapping[str, Any] | None = None
        try:
            facts = driver.apply(name, document)
        except StepWaits as wait:
            return self._waits(id, position, wait)
        except StepFailed as error:
            failure = error
        except Exception as error:
            log.exception("%s: step %s failed", document.slug, name, extra={"action": "step_failed"})
            failure = StepFailed(f"{type(error).__name__}; the platform's log says more")
        if failure is None:
            self._succeeded(id, position, facts or {})
            return True
        # It may have the last lines of a program, and is shown to people who may not read logs.
        failure = StepFailed(
            masking.without_secrets(self.store, self.ring, document.id, str(failure)), final=failure.final
        )
        log.warning("%s: step %s: %s", document.slug, name, failure, extra={"action": "step_failed"})
        return self._failed(id, position, failure, driver)

    def _begin(self, id: UUID) -> tuple[Driver, int, str, Document] | None:
        with self.store.across_organizations() as db:
            operation = db.get_one(Operation, id)
            if operation.unfinished is None:
                return None
            deployment = db.get_one(Deployment, operation.deployment_id)
            cluster = db.get_one(Cluster, deployment.cluster_id)
            driver = self._driver(db, cluster)
            steps = endings.steps_of(db, operation)
            if not steps:
                operation.started_at = self.clock()
                endings.add_steps(db, operation, driver.steps(Kind(operation.kind)))
                steps = endings.steps_of(db, operation)
            position = endings.next_position(steps)
            if position is not None and endings.cancel(db, operation, position, driver, self.clock()):
                steps = endings.steps_of(db, operation)
                position = endings.next_position(steps)
            if operation.unfinished is None:
                return None
            if position is None:
                endings.end(db, operation, deployment, self.clock())
                return None
            step = steps[position]
            operation.state = step.state = State.RUNNING.value
            step.tries += 1
            step.started_at = step.started_at or self.clock()
            document = document_of(db, self.ring, deployment, cluster, operation)
            return driver, position, step.name, document

    def _succeeded(self, id: UUID, position: int, facts: Mapping[str, Any]) -> None:
        now = self.clock()
        with self.store.across_organizations() as db:
            operation = db.get_one(Operation, id)
            step = endings.steps_of(db, operation)[position]
            step.state, step.message, step.ended_at = State.SUCCEEDED.value, "", now
            operation.arguments = {**operation.arguments, **facts}
            if BACKUP in facts:
                for row in db.scalars(select(Backup).where(Backup.operation_id == id)):
                    row.state, row.facts, row.ended_at = State.SUCCEEDED.value, facts[BACKUP], now

    def _waits(self, id: UUID, position: int, wait: StepWaits) -> bool:
        """It waits without an end: no try is counted."""
        self._not_before[id] = self.clock() + timedelta(seconds=wait.again)
        with self.store.across_organizations() as db:
            step = endings.steps_of(db, db.get_one(Operation, id))[position]
            step.message, step.tries = str(wait), step.tries - 1
        return False

    def _failed(self, id: UUID, position: int, failure: StepFailed, driver: Driver) -> bool:
        now = self.clock()
        with self.store.across_organizations() as db:
            operation = db.get_one(Operation, id)
            step = endings.steps_of(db, operation)[position]
            step.message = str(failure)
            if step.tries < TRIES and not failure.final:
                pause = _PAUSES[min(step.tries, len(_PAUSES)) - 1]
                self._not_before[id] = now + timedelta(seconds=pause)
                return False
            step.state, step.ended_at = State.FAILED.value, now
            endings.fail(db, operation, step, str(failure), driver.undo(Kind(operation.kind), step.name), now)
            return operation.unfinished is not None

    def _driver(self, db: Session, cluster: Cluster) -> Driver:
        return self._driver_of(cluster, has_controller=clusters.has_controller(db, cluster.id))

    def _driver_of(self, cluster: Cluster, *, has_controller: bool) -> Driver:
        """That of the platform's own machine, or of a cluster whose controller connects."""
        if has_controller:
            return remote.driver_of(self.store, self.ring, cluster, self.clock)
        return self.drivers[cluster.driver]
