"""Keeps and observes the Deployments that run, every few seconds, and begins once a minute what schedules say."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from tradewind_platform.clock import Clock
from tradewind_platform.domain.catalogue import Offered
from tradewind_platform.domain.health import Condition
from tradewind_platform.domain.operations import Phase
from tradewind_platform.reconciler import masking, observations, remote, timetable
from tradewind_platform.reconciler.claims import Claims
from tradewind_platform.reconciler.driver import Driver, StepFailed
from tradewind_platform.reconciler.remote_observer import RemoteObserver
from tradewind_platform.reconciler.running import Running, RunningDeployments
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Cluster

log = logging.getLogger(__name__)

_FRESH: Final = timedelta(seconds=2)
"""So old may be what was read of a Deployment when it is observed."""

ObservingDriver = Driver | RemoteObserver
"""Keeps and observes Deployments of a cluster."""


class DriverOf(Protocol):
    """Finds the driver of a cluster."""

    def __call__(self, cluster: Cluster, *, has_controller: bool) -> Driver: ...


@dataclass
class Observer:
    """Works in one thread."""

    store: Store
    ring: KeyRing
    clock: Clock
    offered: Offered
    driver_of: DriverOf
    leads: Callable[[], bool]
    """Whether this process works on the database."""
    claims: Claims
    has_begun: Callable[[], None]
    """Called when an operation was begun that no person has asked for."""
    stopping: threading.Event
    _asked_at: datetime | None = None
    _written: dict[UUID, Sequence[Condition]] = field(
        default_factory=dict
    )  # what was observed, when it was written last
    _worked_on: set[UUID] = field(default_factory=set)  # by operations, since the Deployments were read

    def __post_init__(self) -> None:
        self._deployments = RunningDeployments(self.store, self.ring)

    def run(self, every: float) -> None:
        """Work every so many seconds, until it is stopped."""
        while not self.stopping.wait(every):
            try:
                if self.leads():
                    self.work()
            except Exception:
                log.exception("the Deployments were not observed", extra={"action": "observing_failed"})

    def work(self) -> None:
        """One round."""
        self.observe_all()
        minute = self.clock().replace(second=0, microsecond=0)  # schedules say whole minutes
        if minute != self._asked_at:
            self.begin_what_is_due()
            self._asked_at = minute

    def was_worked_on(self, deployment: UUID) -> None:
        """An operation has worked on a Deployment: what was read of it before is not kept, and what is observed is written. Called
        from several threads, by the one that has taken the Deployment."""
        self._written.pop(deployment, None)
        self._worked_on.add(deployment)

    def observe_all(self) -> None:
        """Keep and observe each Deployment that shall run and that no operation works on."""
        for one, driver in self._running():
            id = one.document.id
            if not self.claims.take(id):
                continue
            try:
                # What an operation has done since the Deployment was read counts, and not what was read.
                if id not in self._worked_on:
                    self._observe(one, driver)
            finally:
                self.claims.give_back(id)

    def begin_what_is_due(self) -> None:
        """Begin what no person asks for: the purge of what was deleted long ago, and what schedules say: hibernation, clean-ups,
        backups, upgrades of Deployments that follow a minor."""
        if timetable.begin_what_is_due(self.store, self.ring, self.offered, self.clock()):
            self.has_begun()

    def _running(self) -> Iterator[tuple[Running, ObservingDriver]]:
        """Those that run, each with what keeps it. Read at once, and again where observing takes long: what was read is never much
        older than a look at one of them."""
        seen: set[UUID] = set()
        while not self.stopping.is_set() and (not seen or self.leads()):
            self._worked_on.clear()
            found, drivers = self._deployments.read(), dict[UUID, ObservingDriver]()
            read_at = self.clock()  # not before: where reading takes long, nothing would ever be fresh
            for one in found:
                if one.document.id in seen:
                    continue
                if self.stopping.is_set() or self.clock() - read_at > _FRESH:
                    break
                seen.add(one.document.id)
                if one.cluster.id not in drivers:
                    drivers[one.cluster.id] = self._observing_driver(one)
                yield one, drivers[one.cluster.id]
            else:
                return

    def _observing_driver(self, one: Running) -> ObservingDriver:
        driver = self.driver_of(one.cluster, has_controller=one.has_controller)
        if not isinstance(driver, remote.RemoteDriver):
            return driver
        with self.store.reading_all() as db:
            return RemoteObserver.read(db, driver, self._deployments.digest_of)

    def _observe(self, one: Running, driver: ObservingDriver) -> None:
        document = one.document
        if one.phase is Phase.RUNNING:
            try:
                driver.keep(document)
            except StepFailed as error:
                log.warning("%s: %s", document.slug, error, extra={"action": "keeping_failed"})
        observed = tuple(driver.observe(document))
        if self._written.get(document.id) == observed:
            return
        self._written[document.id] = observed
        with self.store.across_organizations() as db:
            shown = masking.conditions(db, self.ring, document.id, observed)
            observations.write(db, one.organization, document.id, shown, self.clock())
