"""A Deployment as Airflow processes of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx

from tradewind_platform.clock import Clock, utc_now
from tradewind_platform.domain.component_logs import Component
from tradewind_platform.domain.deploys import HEADS
from tradewind_platform.domain.health import Condition, Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.drivers import new_code, steps
from tradewind_platform.drivers.airflow_api import AirflowApi
from tradewind_platform.drivers.backups import Backups, Copies
from tradewind_platform.drivers.before import before
from tradewind_platform.drivers.dumps import Dumps
from tradewind_platform.drivers.hibernation import Hibernation
from tradewind_platform.local.clean_up import CleanUp
from tradewind_platform.local.component_logs import LogFiles
from tradewind_platform.local.cordoned import CordonedFiles
from tradewind_platform.local.gateway import Gateway
from tradewind_platform.local.observing import Observing
from tradewind_platform.local.planes import Planes
from tradewind_platform.local.preflight import Preflight
from tradewind_platform.local.processes import Processes
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.local.sqlite_copies import SqliteCopies
from tradewind_platform.local.started import Started
from tradewind_platform.local.upgrades import Upgrades
from tradewind_platform.reconciler.driver import ComponentLog, Document, StepFailed

_RUNNING: Final = ("database", "configure", "migrate", "start", "route", "probe")
_STEPS: Final[Mapping[Kind, Sequence[str]]] = {
    **steps.STEPS,
    Kind.CREATE: _RUNNING,
    Kind.UPDATE: ("database", "configure", "migrate", "close for upgrade", *steps.SERVING),
    Kind.RESTORE: _RUNNING,
    Kind.DELETE: ("unroute", "stop"),
    Kind.PURGE: ("unroute", "stop", "erase"),
    Kind.WAKE: ("configure", *steps.SERVING, "uncordon"),
    Kind.DEPLOY: (*steps.CODE, "check code", "configure", "close for upgrade", *steps.SERVING),
    Kind.UPGRADE: (*steps.CODE, *steps.STEPS[Kind.UPGRADE]),
    Kind.ROLLBACK: (
        *steps.CODE,
        "count",
        "close for upgrade",
        "stop",
        "restore backup",
        "configure",
        "fence",
        *steps.SERVING,
    ),
}


class LocalDriver:
    """One machine. `home` of the settings is the platform's directory for it."""

    def __init__(self, settings: LocalSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._processes = Processes(str(settings.home))
        self._gateway = Gateway(settings, self._processes)
        self._planes = Planes(settings)
        self._observing = Observing(self._planes, clock)
        self._logs = LogFiles(self._planes)
        self._started = Started(self._processes, self._planes)
        airflow = AirflowApi(
            httpx.Client(trust_env=False), lambda document: self._planes.address(document.slug)
        )
        hibernation = Hibernation(airflow, CordonedFiles(settings.home / "cordoned"), clock)
        databases = self._planes.databases
        copies: Copies = SqliteCopies(self._planes) if databases is None else Dumps(databases)
        backups = self._backups = Backups(settings.home / "backups", copies)
        preflight = Preflight(self._planes, airflow, backups)
        upgrades = Upgrades(
            self._planes, airflow, self._started, backups, self._observing, settings.probe_seconds
        )
        self._steps: Mapping[str, Callable[[Document], Mapping[str, Any] | None]] = {
            "database": self._planes.database,
            "configure": self._planes.configure,
            "migrate": self._planes.migrate,
            "start": self._started.start,
            "route": self._route,
            "probe": self._probe,
            "unroute": lambda document: self._gateway.leave(document.slug),
            "stop": self._started.stop,
            "erase": self._erase,
            "fetch": self._planes.code.fetch,
            "build environment": self._planes.code.build,
            "check code": self._check_code,
            "cordon": hibernation.cordon,
            "wait for tasks": hibernation.wait_for_tasks,
            "close": lambda document: self._gateway.close(document.slug, "hibernating"),
            "uncordon": hibernation.uncordon,
            "look": preflight.table,
            "preflight": preflight.require,
            "close for upgrade": lambda document: self._gateway.close(document.slug, "upgrading"),
            "back up": backups.make,
            "forget old backups": backups.forget_old,
            "clean up": CleanUp(self._planes).clean,
            "start API server": upgrades.start_api_server,
            "probe inside": upgrades.probe_inside,
            "restore before": upgrades.restore_before,
            "configure before": before(self._planes.configure),
            "start API server before": before(upgrades.start_api_server),
            "start before": before(self._started.start),
            "count": upgrades.count_what_is_forgotten,
            "restore backup": backups.restore,
            "fence": upgrades.fence,
        }

    def steps(self, kind: Kind) -> Sequence[str]:
        return _STEPS[kind]

    def undo(self, kind: Kind, failed: str) -> Sequence[str]:
        if kind is Kind.HIBERNATE:
            return (*steps.SERVING, "uncordon")
        return steps.undone(kind, failed)

    def apply(self, step: str, document: Document) -> Mapping[str, Any] | None:
        return self._steps[step](document)

    def keep(self, document: Document) -> None:
        self._gateway.keep()
        self._started.keep(document)

    def observe(self, document: Document) -> Sequence[Condition]:
        return self._observing.conditions(document, broken=self._started.is_broken(document))

    def last_lines(self, document: Document, component: Component, count: int) -> ComponentLog:
        return self._logs.last_lines(document, component, count)

    def address(self, slug: str) -> str:
        """Where its API server listens. Raises Refused UNAVAILABLE for one that was never configured."""
        return self._planes.address(slug)

    # ---- steps

    def _erase(self, document: Document) -> None:
        self._planes.erase(document)
        self._backups.forget(document)

    def _check_code(self, document: Document) -> Mapping[str, Any]:
        """Its plugins import, and the database needs no migration. As the Deployment's user, who runs it afterwards."""
        try:
            return {HEADS: new_code.without_migration(self._planes.run(document, new_code.HEADS))}
        except ValueError as reason:
            raise StepFailed(str(reason), final=True) from None

    def _route(self, document: Document) -> None:
        self._gateway.serve(document.slug, self._planes.port(document))

    def _probe(self, document: Document) -> None:
        """Through the gateway, as agents and people come."""
        until = time.monotonic() + self._settings.probe_seconds
        while True:
            wrong = [one for one in self.observe(document) if one.status is not Status.TRUE]
            if not wrong:
                return
            if time.monotonic() > until:
                raise StepFailed(" ".join(dict.fromkeys(one.message for one in wrong)))
            self._started.keep(document)
            time.sleep(0.5)
