"""A Deployment as Airflow processes of this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tradewind_platform.clock import Clock, utc_now
from tradewind_platform.domain.health import Condition, Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.local.gateway import Gateway
from tradewind_platform.local.hibernation import Hibernation
from tradewind_platform.local.observing import Observing
from tradewind_platform.local.planes import Planes
from tradewind_platform.local.processes import Processes
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.local.started import Started
from tradewind_platform.reconciler.driver import Document, StepFailed

_RUNNING: Final = ("database", "configure", "migrate", "start", "route", "probe")
_STEPS: Final[Mapping[Kind, Sequence[str]]] = {
    Kind.CREATE: _RUNNING,
    Kind.UPDATE: _RUNNING,
    Kind.RESTORE: _RUNNING,
    Kind.DELETE: ("unroute", "stop"),
    Kind.PURGE: ("unroute", "stop", "erase"),
    Kind.HIBERNATE: ("cordon", "wait for tasks", "close", "stop"),
    Kind.WAKE: ("configure", "start", "route", "probe", "uncordon"),
}


class LocalDriver:
    """One machine. `home` of the settings is the platform's directory for it."""

    def __init__(self, settings: LocalSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._processes = Processes(str(settings.home))
        self._gateway = Gateway(settings, self._processes)
        self._planes = Planes(settings)
        self._observing = Observing(self._planes)
        self._started = Started(self._processes, self._planes)
        hibernation = Hibernation(self._planes, clock)
        self._steps: Mapping[str, Callable[[Document], Mapping[str, Any] | None]] = {
            "database": self._planes.database,
            "configure": self._planes.configure,
            "migrate": self._planes.migrate,
            "start": self._started.start,
            "route": self._route,
            "probe": self._probe,
            "unroute": lambda document: self._gateway.leave(document.slug),
            "stop": self._started.stop,
            "erase": self._planes.erase,
            "cordon": hibernation.cordon,
            "wait for tasks": hibernation.wait_for_tasks,
            "close": lambda document: self._gateway.close(document.slug, "hibernating"),
            "uncordon": hibernation.uncordon,
        }

    def steps(self, kind: Kind) -> Sequence[str]:
        return _STEPS[kind]

    def undo(self, kind: Kind, failed: str) -> Sequence[str]:
        if kind is Kind.HIBERNATE:
            return ("start", "route", "probe", "uncordon")
        return ()

    def apply(self, step: str, document: Document) -> Mapping[str, Any] | None:
        return self._steps[step](document)

    def keep(self, document: Document) -> None:
        self._gateway.keep()
        self._started.keep(document)

    def observe(self, document: Document) -> Sequence[Condition]:
        return self._observing.conditions(document, broken=self._started.is_broken(document))

    def address(self, slug: str) -> str:
        """Where its API server listens. Raises Refused UNAVAILABLE for one that was never configured."""
        return self._planes.address(slug)

    def stop_gateway(self) -> None:
        """End the gateway. Deployments end by their operations only."""
        self._gateway.stop()

    # ---- steps

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
