"""Polls the platform, does the steps that it hands out, and observes the Deployments of the cluster."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

from tradewind_platform.controller.platform_client import Unreachable
from tradewind_platform.controller.status import ControllerStatus
from tradewind_platform.domain.operations import Kind
from tradewind_platform.reconciler import wire
from tradewind_platform.reconciler.driver import Document, Driver, StepFailed, StepWaits
from tradewind_protocol.controllers import (
    ControllerPoll,
    ControllerWork,
    KeptDocument,
    Observation,
    Observations,
    StepResult,
    StepTask,
)
from tradewind_protocol.errors import Refused

log = logging.getLogger(__name__)

_AT_ONCE: Final = 4  # steps
_PAUSES: Final = (1.0, 2.0, 5.0, 10.0)  # seconds between tries of a platform that does not answer


class Platform(Protocol):
    """What a controller asks of the platform. Each method raises Unreachable and Refused."""

    def poll(self, ask: ControllerPoll) -> ControllerWork: ...
    def finish(self, step: UUID, result: StepResult) -> None: ...
    def observed(self, ask: Observations) -> None: ...


def no_facts() -> Mapping[str, str]:
    return {}


@dataclass
class Controller:
    """One process of a cluster's controller. A platform that is away changes nothing for Deployments that run: they are
    kept by the documents that are there."""

    platform: Platform
    driver: Driver
    kind: str  # of the driver
    version: str
    facts: Callable[[], Mapping[str, str]] = no_facts
    sizes: Sequence[str] = ()
    observe_every: float = 5.0
    wait_seconds: float = 20.0
    instance: UUID = field(default_factory=uuid4)
    status: ControllerStatus = field(default_factory=ControllerStatus)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: set[UUID] = field(
        default_factory=set
    )  # steps that are done, or whose results are not delivered
    _etag: str = ""
    _kept: dict[UUID, KeptDocument] = field(default_factory=dict)  # by Deployment
    _busy: dict[UUID, threading.Lock] = field(default_factory=dict)  # by Deployment
    _reported: dict[UUID, Observation] = field(default_factory=dict)  # by Deployment: the last one
    _refused: bool = False  # the last request was refused

    def stop(self) -> None:
        """Let `run` return once each step that has begun has ended."""
        self._stopping.set()

    def run(self) -> None:
        """Work until `stop`."""
        observing = threading.Thread(target=self._observe_forever, name="observer")
        observing.start()
        failures = 0
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="step") as pool:
            while not self._stopping.is_set():
                self.status.turns()
                try:
                    work = self.platform.poll(self._ask())
                except (Unreachable, Refused) as error:
                    self.status.fails(str(error))
                    if failures == 0:
                        log.warning(
                            "the poll of the platform failed: %s", error, extra={"action": "platform_away"}
                        )
                    self._stopping.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
                    failures += 1
                    continue
                if failures:
                    log.info("the platform answers again", extra={"action": "platform_back"})
                failures = 0
                self.status.answers()
                for task in self._accepted(work):
                    pool.submit(self._do, task)
        observing.join()

    def turn(self) -> bool:
        """Poll once, and do what is handed out in this thread. Whether there was something: for tests."""
        work = self.platform.poll(self._ask())
        accepted = self._accepted(work)
        for task in accepted:
            self._do(task)
        return bool(accepted)

    # ---- steps

    def _ask(self) -> ControllerPoll:
        with self._lock:
            running = tuple(sorted(self._running))
        return ControllerPoll(
            instance=self.instance,
            version=self.version,
            driver=self.kind,
            running=running,
            etag=self._etag,
            steps={kind.value: steps for kind, steps in self._plans().items()},
            undo={
                kind.value: {
                    step: tuple(undone) for step in steps if (undone := self.driver.undo(kind, step))
                }
                for kind, steps in self._plans().items()
            },
            facts=dict(self.facts()),
            sizes=tuple(self.sizes),
            wait_seconds=self.wait_seconds,
        )

    def _plans(self) -> dict[Kind, tuple[str, ...]]:
        """The steps of each operation that the driver has."""
        found = {}
        for kind in Kind:
            try:
                found[kind] = tuple(self.driver.steps(kind))
            except KeyError:
                continue
        return found

    def _accepted(self, work: ControllerWork) -> Sequence[StepTask]:
        with self._lock:
            if work.documents is not None:
                self._kept = {wire.from_json(one.document).id: one for one in work.documents}
                self._etag = work.etag
            accepted = [task for task in work.tasks if task.id not in self._running]
            self._running |= {task.id for task in accepted}
        return accepted

    def _do(self, task: StepTask) -> None:
        """Do a step and deliver its result, however long that takes: a result that is lost is a step that is done twice."""
        document = wire.from_json(task.document)
        with self._alone_with(document.id):
            self.status.begins()
            result = self._result(task.step, document)
            self.status.ends(result.outcome)
        try:
            self._deliver(task, result)
        finally:
            with self._lock:
                self._running.discard(task.id)
                self._reported.pop(document.id, None)

    def _result(self, step: str, document: Document) -> StepResult:
        if not self._knows(step):
            why = f"the driver {self.kind} of this controller's version has no step {step!r}"
            return StepResult(instance=self.instance, outcome="failed", message=why, final=True)
        log.info("%s: step %s", document.slug, step, extra={"action": "step_begun"})
        try:
            facts: Mapping[str, Any] = self.driver.apply(step, document) or {}
        except StepWaits as wait:
            return StepResult(
                instance=self.instance, outcome="waits", message=str(wait)[:4000], again=wait.again
            )
        except StepFailed as error:
            log.warning("%s: step %s: %s", document.slug, step, error, extra={"action": "step_failed"})
            return StepResult(
                instance=self.instance, outcome="failed", message=str(error)[:4000], final=error.final
            )
        except Exception as error:
            log.exception("%s: step %s failed", document.slug, step, extra={"action": "step_failed"})
            why = f"{type(error).__name__}; the controller's log says more"
            return StepResult(instance=self.instance, outcome="failed", message=why)
        return StepResult(instance=self.instance, outcome="succeeded", facts=dict(facts))

    def _knows(self, step: str) -> bool:
        plans = self._plans()
        undone = [self.driver.undo(kind, one) for kind, steps in plans.items() for one in steps]
        return any(step in steps for steps in (*plans.values(), *undone))

    def _deliver(self, task: StepTask, result: StepResult) -> None:
        failures = 0
        while True:
            try:
                self.platform.finish(task.id, result)
                return
            except Refused as error:
                log.warning(
                    "the platform refused the result of step %s: %s",
                    task.step,
                    error,
                    extra={"action": "result_refused"},
                )
                return
            except Unreachable:
                if self._stopping.wait(_PAUSES[min(failures, len(_PAUSES) - 1)]):
                    return
                failures += 1

    # ---- what runs

    def _observe_forever(self) -> None:
        while not self._stopping.wait(self.observe_every):
            try:
                self.observe_all()
            except Exception:
                log.exception("the Deployments were not observed", extra={"action": "observing_failed"})

    def observe_all(self) -> None:
        """Keep and observe each Deployment that no step works on, and report what has changed."""
        with self._lock:
            kept = dict(self._kept)
        found = {}
        for id, one in kept.items():
            if self._stopping.is_set():
                return
            if (seen := self._observe(id, one)) is not None:
                found[id] = seen
        self.status.observes(len(kept))
        changed = {id: seen for id, seen in found.items() if self._reported.get(id) != seen}
        if not changed:
            return
        try:
            self.platform.observed(Observations(instance=self.instance, items=tuple(changed.values())))
        except (Unreachable, Refused):
            return  # it is reported with the next observation
        with self._lock:
            self._reported.update(changed)

    def _observe(self, id: UUID, one: KeptDocument) -> Observation | None:
        document = wire.from_json(one.document)
        lock = self._lock_of(id)
        if not lock.acquire(blocking=False):
            return None
        try:
            if one.keep:
                try:
                    self.driver.keep(document)
                except StepFailed as error:
                    log.warning("%s: %s", document.slug, error, extra={"action": "keeping_failed"})
            return Observation(
                deployment=id, digest=one.digest, conditions=wire.reported(self.driver.observe(document))
            )
        finally:
            lock.release()

    @contextmanager
    def _alone_with(self, id: UUID) -> Iterator[None]:
        with self._lock_of(id):
            yield

    def _lock_of(self, id: UUID) -> threading.Lock:
        with self._lock:
            return self._busy.setdefault(id, threading.Lock())
